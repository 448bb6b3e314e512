//! `#[aggregate]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ImplItem, ItemImpl, Type};

use crate::attribute::Arguments;
use crate::function::{self, Derived, Role};

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
        timers: quote!(false),
        stores: quote!(::millrace_sdk::__private::stateful::<<#ident as ::millrace_sdk::Aggregate>::State>(#name)),
    };
    let spec = function::implement(Role::Aggregate, ident, &name, &arguments, &derived);
    let announced = function::announce(Role::Aggregate, ident, &name);
    Ok(quote!(#item #spec #announced))
}

fn check(item: &ItemImpl) -> syn::Result<()> {
    let of = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
    if of.is_none_or(|segment| segment.ident != "Aggregate") {
        return Err(misplaced(&item.self_ty));
    }
    let missing = ["Key", "Input", "State", "Output"]
        .into_iter()
        .find(|wanted| !item.items.iter().any(|item| matches!(item, ImplItem::Type(ty) if ty.ident == wanted)));
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
