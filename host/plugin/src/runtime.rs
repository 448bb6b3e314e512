//! The wasmtime engines that guests run on.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, Strategy};

use crate::cache::Cache;
use crate::error::{LoadError, Refusal};
use crate::fault::chain;
use crate::limits::Metering;
use crate::ticker::{Ticker, Ticks};

/// Most instances at a time: one for each worker and deployment, and some for candidates. Each reserves address space,
/// but no memory.
const INSTANCE_LIMIT: u32 = 1000;

/// Stack of a guest, in bytes: well below that of a worker thread.
const STACK_BYTES: usize = 512 << 10;

/// Compiles and runs plugins. All threads of the process share one.
pub struct Runtime {
    ordinary: Engine,
    verdict: Engine,
    cache: Option<Cache>,
    ticker: Ticker,
}

impl Runtime {
    /// A runtime that caches compiled plugins in a folder, if one is given. The folder is created with permissions for
    /// its owner alone: it has machine code that will run, so a folder that others can reach is refused.
    ///
    /// # Errors
    /// [`Refusal::Host`]: the machine can't run guests, or the folder can't be used.
    pub fn new(cache: Option<PathBuf>) -> Result<Arc<Self>, LoadError> {
        Self::build(cache)
            .map_err(|reason| LoadError { origin: "the WebAssembly runtime".into(), refusal: Refusal::Host(reason) })
    }

    fn build(cache: Option<PathBuf>) -> Result<Arc<Self>, String> {
        let ordinary = clock_engine().map_err(|error| chain(&error))?;
        let verdict = fuel_engine().map_err(|error| chain(&error))?;
        let cache = cache.map(Cache::open).transpose()?.flatten();
        let ticker = Ticker::start(vec![ordinary.clone(), verdict.clone()])
            .map_err(|error| format!("no thread for deadlines: {error}"))?;
        Ok(Arc::new(Self { ordinary, verdict, cache, ticker }))
    }

    /// The clock of its deadlines.
    pub(crate) fn ticks(&self) -> &Ticks {
        self.ticker.ticks()
    }

    /// Compiles a component for one of the engines, or takes it from the cache.
    pub(crate) fn compile(&self, course: Metering, bytes: &[u8]) -> wasmtime::Result<Component> {
        let engine = match course {
            Metering::Clock => &self.ordinary,
            Metering::Fuel => &self.verdict,
        };
        match &self.cache {
            Some(cache) => cache.get(engine, bytes),
            None => Component::new(engine, bytes),
        }
    }
}

/// Instances come from a pool, which bounds their number. If the machine lacks the address space for it, instances are
/// allocated one by one.
fn clock_engine() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCE_LIMIT).total_memories(INSTANCE_LIMIT).total_tables(2 * INSTANCE_LIMIT);
    pool.total_core_instances(4 * INSTANCE_LIMIT);
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).or_else(|error| {
        tracing::warn!(error = %chain(&error), "there is no address space for a pool of guest instances: they are allocated one by one");
        Engine::new(&self::config())
    })
}

/// Fuel counts executed operators, so that a verdict is the same on every machine. It counts those that take time
/// everywhere: one unit each, and none for operators that compile to no instruction, which are half of those in a tight
/// loop. Bytes of a copy or a fill don't count: one core was measured at 26 to 90 of them in a nanosecond, and cores
/// differ more than that. Endless copies run into the backstop (`limits.rs`).
fn fuel_engine() -> wasmtime::Result<Engine> {
    let mut cost = OperatorCost::new();
    (cost.LocalGet, cost.LocalSet, cost.LocalTee) = (0, 0, 0);
    (cost.I32Const, cost.I64Const, cost.F32Const, cost.F64Const, cost.V128Const) = (0, 0, 0, 0, 0);
    cost.variable.memory_copy_per_byte = 0;
    cost.variable.memory_fill_per_byte = 0;
    cost.variable.memory_init_per_byte = 0;
    cost.variable.table_copy_per_element = 0;
    cost.variable.table_fill_per_element = 0;
    cost.variable.table_init_per_element = 0;
    let mut config = config();
    config.consume_fuel(true).operator_cost(cost);
    Engine::new(&config)
}

/// Settings of both engines: Cranelift, deadlines, canonical NaNs, and no proposal that compilers don't use by default.
fn config() -> Config {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift).epoch_interruption(true).cranelift_nan_canonicalization(true);
    config.max_wasm_stack(STACK_BYTES).wasm_backtrace_max_frames(None);
    config.wasm_relaxed_simd(false).wasm_memory64(false).wasm_multi_memory(false).wasm_tail_call(false);
    config.wasm_custom_page_sizes(false).wasm_wide_arithmetic(false).wasm_extended_const(false);
    config
}
