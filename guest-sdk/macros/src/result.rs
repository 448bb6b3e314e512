//! Puts out the result of a function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ReturnType, Type};

use crate::signature::{generic, generics, is, plain};

/// Puts out the result of `call`.
pub fn put_out(output: &ReturnType, call: &TokenStream) -> TokenStream {
    let ReturnType::Type(_, ty) = output else {
        return quote!(#call;);
    };
    if is(ty, "Result") {
        let value = generics(ty).into_iter().next();
        let put = value.map_or_else(|| quote!(out.value(result)?;), |value| put(&value));
        return quote_spanned!(ty.span()=> let result = #call?; #put);
    }
    let put = put(ty);
    quote!(let result = #call; #put)
}

/// Puts out the variable `result`, which is of type `ty`.
fn put(ty: &Type) -> TokenStream {
    let span = ty.span();
    if plain(ty).is_some() {
        return quote_spanned!(span=> out.raw(result)?;);
    }
    if let Some(inner) = generic(ty, "Option") {
        let inner = put(&inner);
        return quote!(if let ::core::option::Option::Some(result) = result { #inner });
    }
    if let Some(inner) = generic(ty, "Vec") {
        let inner = put(&inner);
        return quote!(for result in result { #inner });
    }
    match ty {
        Type::Tuple(tuple) if tuple.elems.is_empty() => quote!(let () = result;),
        _ if is(ty, "Outputs") => quote_spanned!(span=> out.outputs(result)?;),
        _ if is(ty, "Output") => quote_spanned!(span=> out.output(result)?;),
        _ if is(ty, "Unchanged") => quote_spanned!(span=> out.unchanged(result)?;),
        _ => quote_spanned!(span=> out.value(result)?;),
    }
}
