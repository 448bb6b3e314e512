//! `#[aggregate]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, ImplItem, ItemImpl, Type};

use crate::attribute::Arguments;
use crate::function::{self, Derived, Role};
use crate::rule::reader;
use crate::signature::{generic, plain};

/// Expands the attribute.
pub fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let item: ItemImpl = syn::parse2(item)
        .map_err(|error| syn::Error::new(error.span(), "#[aggregate] belongs on an `impl Aggregate for Type`"))?;
    let arguments = Arguments::parse(Role::Aggregate, arguments)?;
    check(&item)?;
    let Type::Path(path) = &*item.self_ty else { return Err(misplaced(&item.self_ty)) };
    let ident = path.path.require_ident()?;
    let name = arguments.name.as_ref().map_or_else(|| snake_case(&ident.to_string()), syn::LitStr::value);
    let derived = Derived {
        key: quote!(<<#ident as ::millrace_sdk::Aggregate>::Key as ::millrace_sdk::KeyType>::CODEC),
        timers: false,
        subtracts: has_fn(&item, "subtract"),
        merges: has_fn(&item, "merge"),
        stores: quote!(::millrace_sdk::__private::stateful::<<#ident as ::millrace_sdk::Aggregate>::State>(#name)),
    };
    let spec = function::implement(Role::Aggregate, ident, &name, &arguments, &derived);
    let announced = function::announce(Role::Aggregate, ident, &name);
    let values = values(&item, ident);
    Ok(quote!(#item #spec #announced #values))
}

/// The code that reads inputs and writes results. The names of the types decide, as in the other roles.
fn values(item: &ItemImpl, ident: &Ident) -> TokenStream {
    let (input, output) = (assigned(item, "Input").map(read), assigned(item, "Output").map(write));
    quote! {
        impl ::millrace_sdk::__private::AggregateFunction for #ident {
            fn input(value: ::millrace_sdk::Value<'_>) -> ::millrace_sdk::Result<Self::Input> {
                #input
            }
            fn output(
                output: Self::Output,
                out: &mut ::std::vec::Vec<u8>,
            ) -> ::millrace_sdk::Result<::millrace_sdk::Written> {
                #output
            }
        }
    }
}

fn read(ty: &Type) -> TokenStream {
    let span = ty.span();
    match generic(ty, "Option") {
        Some(inner) => {
            let read = reader(&inner);
            quote_spanned!(span=> value.option(#read))
        }
        None => {
            let read = reader(ty);
            quote_spanned!(span=> (#read)(value))
        }
    }
}

fn write(ty: &Type) -> TokenStream {
    let span = ty.span();
    if let Some(inner) = generic(ty, "Option") {
        let inner = write(&inner);
        return quote_spanned! {span=>
            match output {
                ::core::option::Option::Some(output) => { #inner }
                ::core::option::Option::None => ::core::result::Result::Ok(::millrace_sdk::Written::Null),
            }
        };
    }
    if plain(ty).is_some() {
        return quote_spanned! {span=>
            out.extend_from_slice(output.as_ref());
            ::core::result::Result::Ok(::millrace_sdk::Written::Bytes)
        };
    }
    quote_spanned!(span=> ::millrace_sdk::IntoValue::into_value(output, out))
}

/// The type after `type NAME =`.
fn assigned<'a>(item: &'a ItemImpl, name: &str) -> Option<&'a Type> {
    item.items.iter().find_map(|item| match item {
        ImplItem::Type(ty) if ty.ident == name => Some(&ty.ty),
        _ => None,
    })
}

fn has_fn(item: &ItemImpl, name: &str) -> bool {
    item.items.iter().any(|item| matches!(item, ImplItem::Fn(function) if function.sig.ident == name))
}

fn check(item: &ItemImpl) -> syn::Result<()> {
    let of = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
    if of.is_none_or(|segment| segment.ident != "Aggregate") {
        return Err(misplaced(&item.self_ty));
    }
    let missing = ["Key", "Input", "State", "Output"].into_iter().find(|wanted| assigned(item, wanted).is_none());
    match missing {
        Some(name) => Err(syn::Error::new_spanned(
            &item.self_ty,
            format!(
                "`type {name} = ..;` is missing: an aggregate says its Key (such as i64), Input (such as Doc), State and Output"
            ),
        )),
        None => Ok(()),
    }
}

fn misplaced(at: &impl quote::ToTokens) -> syn::Error {
    syn::Error::new_spanned(at, "#[aggregate] belongs on an `impl Aggregate for Type` of a type without parameters")
}

/// `CustomerActivity` as `customer_activity`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}
