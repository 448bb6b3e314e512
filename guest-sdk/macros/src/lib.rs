//! The macros of `millrace-sdk`, which documents them where it re-exports them.

mod aggregate;
mod attribute;
mod function;
mod plugin;
mod process;
mod result;
mod rule;
mod signature;

use proc_macro::TokenStream;

/// Makes a function a transform: a record in, any number of records out.
///
/// The crate's page lists the function's arguments and results, and the arguments of the attribute.
#[proc_macro_attribute]
pub fn transform(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish_rule(rule::expand(function::Role::Transform, arguments.into(), item.clone().into()), item)
}

/// Makes a function a join: two sides in, any number of records out. The first value it takes is the left side, the
/// second the right one.
///
/// The crate's page lists the function's arguments and results, and the arguments of the attribute.
#[proc_macro_attribute]
pub fn join(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish_rule(rule::expand(function::Role::Join, arguments.into(), item.clone().into()), item)
}

/// Makes an `impl Aggregate for Type` an aggregate.
///
/// It takes `name = ".."`, `codes("..")` and `headers`.
#[proc_macro_attribute]
pub fn aggregate(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish_rule(aggregate::expand(arguments.into(), item.clone().into()), item)
}

/// Makes a function a processor: a record in, any number of records out, with stores and timers of its own.
///
/// It takes the arguments of a transform, any number of `Store<K, V>`, which have the names of the arguments, and
/// `Timers`. `on_timer = function` names the function that the host calls when a timer is due.
#[proc_macro_attribute]
pub fn process(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish_rule(process::expand(arguments.into(), item.clone().into()), item)
}

/// Makes a function one that a process function can name as its `on_timer`.
///
/// It takes a `Key`, the due `Timer`, `Timers`, `Ctx`, and stores of the process function under their names
/// in that function.
#[proc_macro_attribute]
pub fn on_timer(arguments: TokenStream, item: TokenStream) -> TokenStream {
    finish(process::expand_timer(&arguments.into(), item.into()))
}

/// Makes a crate a plugin: `plugin! { name: "order-status", functions: [resolve] }`.
///
/// `version: ".."` is optional (by default that of the crate), and so is `config: Type`. The macro defines
/// `pub static PLUGIN`, which the test bench runs, and in a build for `wasm32` the exports of the component.
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    finish(plugin::begin(input.into()))
}

/// The second half of `plugin!`: each function's own macro calls it to say what the function is.
#[doc(hidden)]
#[proc_macro]
pub fn __collect(input: TokenStream) -> TokenStream {
    finish(plugin::collect(input.into()))
}

/// The code of a rule with an attribute. A rule with a mistake still has its name, so that the compiler doesn't report
/// it missing elsewhere too.
fn finish_rule(expanded: syn::Result<proc_macro2::TokenStream>, item: TokenStream) -> TokenStream {
    let error = match expanded {
        Ok(expanded) => return expanded.into(),
        Err(error) => error.into_compile_error(),
    };
    let stub = function::stub(item.into());
    quote::quote!(#error #stub).into()
}

fn finish(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
