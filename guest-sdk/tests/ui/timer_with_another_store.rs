use millrace_sdk::prelude::*;

#[process(on_timer = give_up)]
fn wait(_order: Doc, key: Key<String>, open: Store<String, u64>, timers: Timers) -> Result<()> {
    timers.set_at("end", 0, Clock::Wall);
    open.put(&key, &1)
}

#[on_timer]
fn give_up(key: Key<String>, opened: Store<String, u64>) -> Result<()> {
    opened.delete(&key);
    Ok(())
}

plugin! { name: "wait", functions: [wait] }

fn main() {}
