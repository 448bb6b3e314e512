//! A manifest as bytes in a guest's memory, laid out by the canonical ABI.

use millrace_engine::manifest::{FunctionManifest, KeyCodec, Manifest, Role, StoreManifest};

/// Bytes at an address, growing upwards.
pub struct Memory {
    base: u32,
    bytes: Vec<u8>,
}

impl Memory {
    /// The manifest at `base`: its address, and what to put there.
    pub fn manifest(base: u32, manifest: &Manifest) -> (u32, Vec<u8>) {
        let mut memory = Self { base, bytes: Vec::new() };
        let name = memory.text(&manifest.name);
        let version = memory.text(&manifest.version);
        let functions: Vec<Vec<u8>> = manifest.functions.iter().map(|f| memory.function(f)).collect();
        let functions = memory.list(&functions);
        let schema = memory.text(&manifest.config_schema);
        let address = memory.put(&[name, version, functions, schema].concat());
        (address, memory.bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let address = self.base + u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend_from_slice(bytes);
        address
    }

    fn list(&mut self, items: &[Vec<u8>]) -> Vec<u8> {
        let address = self.put(&items.concat());
        [address.to_le_bytes(), u32::try_from(items.len()).unwrap().to_le_bytes()].concat()
    }

    fn text(&mut self, text: &str) -> Vec<u8> {
        let address = self.put(text.as_bytes());
        [address.to_le_bytes(), u32::try_from(text.len()).unwrap().to_le_bytes()].concat()
    }

    fn numbers(&mut self, numbers: &[u32]) -> Vec<u8> {
        let numbers: Vec<Vec<u8>> = numbers.iter().map(|n| n.to_le_bytes().to_vec()).collect();
        self.list(&numbers)
    }

    fn function(&mut self, function: &FunctionManifest) -> Vec<u8> {
        let role = match function.role {
            Role::Transform => 0,
            Role::Join => 1,
            Role::Aggregate => 2,
            Role::Process => 3,
        };
        let key = match function.key {
            KeyCodec::Bytes => 0,
            KeyCodec::String => 1,
            KeyCodec::I64 => 2,
        };
        let ports = function.ports.iter();
        let ports: Vec<Vec<u8>> =
            ports.map(|p| [self.text(&p.name), vec![p.changes_key.into(), 0, 0, 0]].concat()).collect();
        let stores: Vec<Vec<u8>> = function.stores.iter().map(|store| self.store(store)).collect();
        let codes: Vec<Vec<u8>> = function.codes.iter().map(|code| self.text(code)).collect();
        [
            self.text(&function.name),
            vec![role, 0, 0, 0],
            self.list(&ports),
            vec![key, function.wants_headers.into(), 0, 0],
            self.list(&stores),
            vec![function.timers.into(), function.subtracts.into(), function.merges.into(), 0],
            self.list(&codes),
        ]
        .concat()
    }

    fn store(&mut self, store: &StoreManifest) -> Vec<u8> {
        let flags = vec![store.queryable.into(), 0, 0, 0];
        [self.text(&store.name), self.numbers(&store.reads), self.numbers(&store.writes), flags].concat()
    }
}
