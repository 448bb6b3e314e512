//! `#[process]` and `#[on_timer]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, ItemFn};

use crate::attribute::Arguments;
use crate::function::{self, Derived, Role};
use crate::result::put_out;
use crate::rule::{body, key_codec, parse, read, variable};
use crate::signature::{self, Argument, Kind};

/// Expands `#[process]`.
pub fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let function = parse("process", item)?;
    function::check(Role::Process, &function)?;
    let arguments = Arguments::parse(Role::Process, arguments)?;
    let taken = signature::arguments(&function.sig)?;
    check(&taken, &arguments)?;
    let ident = &function.sig.ident;
    let (key, timers, stores) = (key_codec(&taken), arguments.on_timer.is_some(), store_specs(&taken)?);
    let derived = Derived { key, timers, subtracts: false, merges: false, stores };
    let declared = function::declare(Role::Process, &function, &arguments, &derived);
    let body = body(Role::Process, &function, &taken);
    let on_timer = arguments.on_timer.as_ref().map_or_else(
        || quote!(::core::result::Result::Ok(())),
        |path| quote_spanned!(path.span()=> <#path as ::millrace_sdk::__private::TimerFunction>::call::<#ident>(args, out)),
    );
    // Outside of generic code, so that the compiler checks it before it generates code.
    let same_stores = arguments.on_timer.as_ref().map(|path| {
        quote_spanned! {path.span()=>
            const _: () = ::millrace_sdk::__private::check_stores(
                <#ident as ::millrace_sdk::__private::Function>::SPEC.stores,
                <#path as ::millrace_sdk::__private::TimerFunction>::STORES,
            );
        }
    });
    Ok(quote! {
        #declared
        #same_stores
        impl ::millrace_sdk::__private::ProcessFunction for #ident {
            #[allow(clippy::let_unit_value, clippy::unit_arg, unused_variables)]
            fn call(
                args: &::millrace_sdk::__private::ProcessArgs<'_>,
                out: &mut ::millrace_sdk::__private::Writer,
            ) -> ::millrace_sdk::Result<()> {
                #body
            }
            #[allow(unused_variables)]
            fn on_timer(
                args: &::millrace_sdk::__private::TimerArgs<'_>,
                out: &mut ::millrace_sdk::__private::Writer,
            ) -> ::millrace_sdk::Result<()> {
                #on_timer
            }
        }
    })
}

fn check(taken: &[Argument], arguments: &Arguments) -> syn::Result<()> {
    let mut values = 0;
    for argument in taken {
        let text = match argument.kind {
            Kind::Timer => "the timer that is due is for #[on_timer]: to set timers take `Timers`",
            Kind::Timers if arguments.on_timer.is_none() => {
                "who sets timers says what is called when one is due: #[process(on_timer = function)]"
            }
            Kind::Value { .. } if values > 0 => "a process function takes one value",
            Kind::Value { .. } => {
                values += 1;
                continue;
            }
            _ => continue,
        };
        return Err(syn::Error::new(argument.ty.span(), text));
    }
    Ok(())
}

/// The stores of the manifest: one for each argument.
fn store_specs(taken: &[Argument]) -> syn::Result<TokenStream> {
    let mut specs = TokenStream::new();
    for argument in taken {
        if let Kind::Store { value } = &argument.kind {
            let name = store_name(argument)?.to_string();
            specs.extend(quote_spanned!(value.span()=> ::millrace_sdk::__private::stateful::<#value>(#name),));
        }
    }
    Ok(specs)
}

fn store_name(argument: &Argument) -> syn::Result<&Ident> {
    let name = argument.name.as_ref();
    name.ok_or_else(|| syn::Error::new(argument.ty.span(), "a store has the name of its argument: give it one"))
}

/// Expands `#[on_timer]`.
pub fn expand_timer(arguments: &TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(syn::Error::new_spanned(
            arguments,
            "#[on_timer] takes nothing: ports and codes are those of the process function",
        ));
    }
    let function = parse("on_timer", item)?;
    function::check(Role::Process, &function)?;
    let taken = signature::arguments(&function.sig)?;
    let body = timer_body(&function, &taken)?;
    let stores = taken.iter().filter(|argument| matches!(argument.kind, Kind::Store { .. })).map(store_name);
    let stores = stores.map(|name| Ok(name?.to_string())).collect::<syn::Result<Vec<_>>>()?;
    let (ident, vis) = (&function.sig.ident, &function.vis);
    Ok(quote! {
        #function
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis struct #ident {}
        impl ::millrace_sdk::__private::TimerFunction for #ident {
            const STORES: &'static [&'static str] = &[#(#stores),*];
            #[allow(clippy::let_unit_value, clippy::unit_arg, unused_variables)]
            fn call<P: ::millrace_sdk::__private::Function>(
                args: &::millrace_sdk::__private::TimerArgs<'_>,
                out: &mut ::millrace_sdk::__private::Writer,
            ) -> ::millrace_sdk::Result<()> {
                #body
            }
        }
    })
}

fn timer_body(function: &ItemFn, taken: &[Argument]) -> syn::Result<TokenStream> {
    let mut reads = TokenStream::new();
    for (index, argument) in taken.iter().enumerate() {
        let variable = variable(index);
        let read = match &argument.kind {
            Kind::Value { .. } => {
                let text = "an #[on_timer] function has no record: it takes `Key`, `Timer`, `Timers`, `Ctx` and stores";
                return Err(syn::Error::new(argument.ty.span(), text));
            }
            Kind::Store { .. } => {
                let name = store_name(argument)?.to_string();
                quote!(::millrace_sdk::__private::store(
                    args.function,
                    const { ::millrace_sdk::__private::store_index(P::SPEC.stores, #name) },
                ))
            }
            _ => read(argument, || ("value", "value")),
        };
        reads.extend(quote!(let #variable = #read;));
    }
    let (ident, variables) =
        (Ident::new(&function.sig.ident.to_string(), Span::call_site()), (0..taken.len()).map(variable));
    let put = put_out(&function.sig.output, &quote!(#ident(#(#variables),*)));
    Ok(quote!(#reads #put ::core::result::Result::Ok(())))
}
