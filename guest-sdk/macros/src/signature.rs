//! The arguments of a function, which the names of their types tell apart.

use syn::spanned::Spanned;
use syn::{FnArg, GenericArgument, Ident, Pat, PathArguments, Signature, Type};

/// An argument of a function.
pub struct Argument {
    /// Its name, if it has one.
    pub name: Option<Ident>,
    /// Its type.
    pub ty: Type,
    /// Its kind.
    pub kind: Kind,
}

/// The kind of an argument.
pub enum Kind {
    /// `Key<K>`, or an `Option` of it.
    Key { key: Type, optional: bool },
    /// A value, or an `Option` of one.
    Value { value: Type, optional: bool },
    /// `Ctx` or `&Ctx`.
    Ctx { reference: bool },
    /// `Store<K, V>`.
    Store { value: Type },
    /// `Timers`.
    Timers,
    /// `Timer`, the due one.
    Timer,
}

/// The arguments of a function.
pub fn arguments(signature: &Signature) -> syn::Result<Vec<Argument>> {
    signature.inputs.iter().map(argument).collect()
}

fn argument(input: &FnArg) -> syn::Result<Argument> {
    let FnArg::Typed(input) = input else {
        return Err(syn::Error::new(input.span(), "a plugin function is a plain function, without `self`"));
    };
    let name = match &*input.pat {
        Pat::Ident(pattern) => Some(pattern.ident.clone()),
        _ => None,
    };
    Ok(Argument { name, ty: (*input.ty).clone(), kind: kind(&input.ty)? })
}

fn kind(ty: &Type) -> syn::Result<Kind> {
    if let Type::Reference(reference) = ty
        && is(&reference.elem, "Ctx")
    {
        return Ok(Kind::Ctx { reference: true });
    }
    let (inner, optional) = match generic(ty, "Option") {
        Some(inner) => (inner, true),
        None => (ty.clone(), false),
    };
    if let Some(key) = generic(&inner, "Key") {
        return Ok(Kind::Key { key, optional });
    }
    let named = ["Ctx", "Store", "Timers", "Timer", "Key"].into_iter().find(|name| is(&inner, name));
    match named {
        None => Ok(Kind::Value { value: inner, optional }),
        Some(name) if optional => Err(syn::Error::new(ty.span(), format!("`{name}` is always there: no `Option`"))),
        Some("Ctx") => Ok(Kind::Ctx { reference: false }),
        Some("Timers") => Ok(Kind::Timers),
        Some("Timer") => Ok(Kind::Timer),
        Some("Store") => match generics(&inner).as_slice() {
            [_, value] => Ok(Kind::Store { value: value.clone() }),
            _ => Err(syn::Error::new(ty.span(), "a store has a type of key and one of value: `Store<String, Totals>`")),
        },
        Some(_) => Err(syn::Error::new(ty.span(), "a key has a type: `Key<i64>`, `Key<String>` or `Key<Vec<u8>>`")),
    }
}

/// Whether the last part of the type's path is `name`.
pub fn is(ty: &Type, name: &str) -> bool {
    last(ty).is_some_and(|segment| segment.ident == name)
}

/// The only type parameter of a type called `name`.
pub fn generic(ty: &Type, name: &str) -> Option<Type> {
    if !is(ty, name) {
        return None;
    }
    generics(ty).first().cloned()
}

/// The type parameters of a type.
pub fn generics(ty: &Type) -> Vec<Type> {
    let Some(PathArguments::AngleBracketed(arguments)) = last(ty).map(|segment| &segment.arguments) else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    types.collect()
}

fn last(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last(&group.elem),
        Type::Paren(paren) => last(&paren.elem),
        _ => None,
    }
}

/// A value type that isn't JSON: text or bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// `&str`
    Str,
    /// `String`
    String,
    /// `&[u8]`
    Slice,
    /// `Vec<u8>`
    Bytes,
}

/// Whether a type is text or bytes.
pub fn plain(ty: &Type) -> Option<Plain> {
    match ty {
        Type::Reference(reference) if is(&reference.elem, "str") => Some(Plain::Str),
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(slice) if is(&slice.elem, "u8") => Some(Plain::Slice),
            _ => None,
        },
        _ if is(ty, "String") => Some(Plain::String),
        _ if generic(ty, "Vec").is_some_and(|item| is(&item, "u8")) => Some(Plain::Bytes),
        _ => None,
    }
}
