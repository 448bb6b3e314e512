//! `#[transform]` and `#[join]`: functions without state.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, ItemFn, Type};

use crate::attribute::Arguments;
use crate::function::{self, Derived, Role};
use crate::result::put_out;
use crate::signature::{self, Argument, Kind, Plain, plain};

/// Expands the attribute.
pub fn expand(role: Role, arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let function = parse(role.attribute(), item)?;
    function::check(role, &function)?;
    let arguments = Arguments::parse(role, arguments)?;
    let taken = signature::arguments(&function.sig)?;
    check(role, &function, &taken)?;
    let ident = &function.sig.ident;
    let key = key_codec(&taken);
    let derived = Derived { key, timers: false, subtracts: false, merges: false, stores: quote!() };
    let declared = function::declare(role, &function, &arguments, &derived);
    let called = call(role, ident, &function, &taken);
    Ok(quote!(#declared #called))
}

/// The function under an attribute.
pub fn parse(attribute: &str, item: TokenStream) -> syn::Result<ItemFn> {
    syn::parse2(item).map_err(|error| syn::Error::new(error.span(), format!("#[{attribute}] belongs on a function")))
}

/// Checks that the function takes only arguments of its role.
fn check(role: Role, function: &ItemFn, taken: &[Argument]) -> syn::Result<()> {
    for argument in taken {
        let what = match argument.kind {
            Kind::Store { .. } => "stores",
            Kind::Timers | Kind::Timer => "timers",
            _ => continue,
        };
        let text = format!("{what} are for #[process]: a {} has none", role.attribute());
        return Err(syn::Error::new(argument.ty.span(), text));
    }
    let values: Vec<_> = taken.iter().filter(|argument| matches!(argument.kind, Kind::Value { .. })).collect();
    let text = match (role, values.len()) {
        (Role::Transform, 0 | 1) | (Role::Join, 2) => return Ok(()),
        (Role::Transform, _) => {
            "a transform takes one value: a key is `Key<i64>`, `Key<String>` or `Key<Vec<u8>>`, and for the two sides of a join there is #[join]"
        }
        _ => "a join takes two values, the left side and the right one: `fn name(left: Doc, right: Doc)`",
    };
    let excess = (role == Role::Transform).then(|| values.get(1).map(|value| value.ty.span())).flatten();
    Err(syn::Error::new(excess.unwrap_or_else(|| function.sig.ident.span()), text))
}

/// The codec of the key that the function takes.
pub fn key_codec(taken: &[Argument]) -> TokenStream {
    let key = taken.iter().find_map(|argument| match &argument.kind {
        Kind::Key { key, .. } => Some(key),
        _ => None,
    });
    match key {
        Some(key) => quote_spanned!(key.span()=> <#key as ::millrace_sdk::KeyType>::CODEC),
        None => quote!(::millrace_sdk::__private::KeyCodec::Bytes),
    }
}

/// The code through which the adapter calls the function.
fn call(role: Role, ident: &Ident, function: &ItemFn, taken: &[Argument]) -> TokenStream {
    let (bound, args_type) = (format_ident!("{}Function", role.variant()), format_ident!("{}Args", role.variant()));
    let body = body(role, function, taken);
    quote! {
        impl ::millrace_sdk::__private::#bound for #ident {
            #[allow(clippy::let_unit_value, clippy::unit_arg, unused_variables)]
            fn call(
                args: &::millrace_sdk::__private::#args_type<'_>,
                out: &mut ::millrace_sdk::__private::Writer,
            ) -> ::millrace_sdk::Result<()> {
                #body
            }
        }
    }
}

/// Reads the arguments from `args`, calls the function, and puts out its result to `out`.
pub fn body(role: Role, function: &ItemFn, taken: &[Argument]) -> TokenStream {
    let ident = &function.sig.ident;
    let mut values = 0;
    let mut stores = 0_u32;
    let reads = taken.iter().enumerate().map(|(index, argument)| {
        let variable = variable(index);
        let read = match &argument.kind {
            Kind::Store { .. } => {
                stores += 1;
                let index = stores - 1;
                quote!(::millrace_sdk::__private::store(args.function, #index))
            }
            _ => read(argument, || {
                values += 1;
                match (role, values) {
                    (Role::Join, 1) => ("left", "left value"),
                    (Role::Join, _) => ("right", "right value"),
                    _ => ("value", "value"),
                }
            }),
        };
        quote!(let #variable = #read;)
    });
    let reads: Vec<_> = reads.collect();
    let variables = (0..taken.len()).map(variable);
    let put = put_out(&function.sig.output, &quote!(#ident(#(#variables),*)));
    quote!(#(#reads)* #put ::core::result::Result::Ok(()))
}

/// The variable of an argument in the generated function.
pub fn variable(index: usize) -> Ident {
    format_ident!("argument_{}", index)
}

/// Reads any argument but a store. `side` has the method that reads a value, and the value's name in error texts.
pub fn read(argument: &Argument, mut side: impl FnMut() -> (&'static str, &'static str)) -> TokenStream {
    let span = argument.ty.span();
    match &argument.kind {
        Kind::Key { optional: false, .. } => quote_spanned!(span=> args.key()?),
        Kind::Key { optional: true, .. } => quote_spanned!(span=> args.key_or_null()?),
        Kind::Ctx { reference: false } => quote!(args.ctx()),
        Kind::Ctx { reference: true } => quote!(&args.ctx()),
        Kind::Value { value, optional } => {
            let (method, what) = side();
            let method = Ident::new(method, proc_macro2::Span::call_site());
            let label = argument.name.as_ref().map_or_else(|| what.to_string(), |name| format!("{what} ({name})"));
            let read = reader(value);
            if *optional {
                quote_spanned!(span=> args.#method(#label).option(#read)?)
            } else {
                quote_spanned!(span=> (#read)(args.#method(#label))?)
            }
        }
        Kind::Timers => quote!(::millrace_sdk::Timers::new()),
        Kind::Timer => quote_spanned!(span=> args.timer()?),
        Kind::Store { .. } => quote!(),
    }
}

/// A function from `Value` to the type. The type itself isn't named: it may have lifetimes.
pub fn reader(ty: &Type) -> TokenStream {
    match plain(ty) {
        Some(Plain::Str) => quote!(::millrace_sdk::Value::text),
        Some(Plain::String) => quote!(::millrace_sdk::Value::owned_text),
        Some(Plain::Slice) => quote!(::millrace_sdk::Value::bytes),
        Some(Plain::Bytes) => quote!(::millrace_sdk::Value::owned_bytes),
        None => quote_spanned!(ty.span()=> ::millrace_sdk::FromValue::from_value),
    }
}
