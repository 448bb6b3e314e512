//! The engines that guests run on.

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, Strategy};

use crate::cache::Cache;
use crate::error::{LoadError, Refusal};
use crate::fault::chain;
use crate::limits::Course;
use crate::ticker::{Ticker, Ticks};

/// Instances that can be alive at a time: workers times deployments, with room for candidates. Each reserves address
/// space, but no memory.
const INSTANCES: u32 = 1000;

/// Stack of a guest, in bytes: well below what a worker thread has.
const STACK: usize = 512 << 10;

/// Compiles and runs plugins. One for a process; shared by all threads.
pub struct Runtime {
    ordinary: Engine,
    verdict: Engine,
    cache: Option<Cache>,
    ticker: Ticker,
}

impl Runtime {
    /// A runtime that keeps compiled plugins in a folder, where one is given. The folder is made with permissions for
    /// its owner alone; what is in it is machine code that will be run, so one that others can write to is refused.
    ///
    /// # Errors
    /// [`Refusal::Host`] where the machine can't run guests, or the folder can't be used.
    pub fn new(cache: Option<PathBuf>) -> Result<Arc<Self>, LoadError> {
        Self::build(cache)
            .map_err(|reason| LoadError { origin: "the WebAssembly runtime".into(), refusal: Refusal::Host(reason) })
    }

    fn build(cache: Option<PathBuf>) -> Result<Arc<Self>, String> {
        let ordinary = ordinary_engine().map_err(|error| chain(&error))?;
        let verdict = verdict_engine().map_err(|error| chain(&error))?;
        let cache = cache.map(Cache::open).transpose()?.flatten();
        let ticker = Ticker::start(vec![ordinary.clone(), verdict.clone()])
            .map_err(|error| format!("no thread for deadlines: {error}"))?;
        Ok(Arc::new(Self { ordinary, verdict, cache, ticker }))
    }

    /// The clock of its deadlines.
    pub(crate) fn ticks(&self) -> &Ticks {
        self.ticker.ticks()
    }

    /// Compiles a component for one of the engines, or finds it compiled.
    pub(crate) fn compile(&self, course: Course, bytes: &[u8]) -> wasmtime::Result<Component> {
        let engine = match course {
            Course::Ordinary => &self.ordinary,
            Course::Verdict => &self.verdict,
        };
        match &self.cache {
            Some(cache) => cache.get(engine, bytes),
            None => Component::new(engine, bytes),
        }
    }
}

/// Instances come from a pool, whose size bounds how many there can be. Where so much address space isn't to be had,
/// they are made one by one.
fn ordinary_engine() -> wasmtime::Result<Engine> {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES).total_memories(INSTANCES).total_tables(2 * INSTANCES);
    pool.total_core_instances(4 * INSTANCES);
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).or_else(|error| {
        tracing::warn!(error = %chain(&error), "no pool of guest instances: they are made one by one");
        Engine::new(&self::config())
    })
}

/// Fuel counts what is executed, so that a verdict is the same on every machine. So it has to count what takes time
/// everywhere: each operator is a unit, but for those that no code is made of, which are half of a tight loop and would
/// make a unit there worth half as much. A byte of a copy or a fill is none: the same core has gone through 26 or 90 of
/// them in a nanosecond, and others differ more. An endless row of them is for the backstop.
fn verdict_engine() -> wasmtime::Result<Engine> {
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

/// What both have in common: Cranelift, deadlines, one NaN, and no proposal that compilers don't use by default.
fn config() -> Config {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift).epoch_interruption(true).cranelift_nan_canonicalization(true);
    config.max_wasm_stack(STACK).wasm_backtrace_max_frames(None);
    config.wasm_relaxed_simd(false).wasm_memory64(false).wasm_multi_memory(false).wasm_tail_call(false);
    config.wasm_custom_page_sizes(false).wasm_wide_arithmetic(false).wasm_extended_const(false);
    config
}
