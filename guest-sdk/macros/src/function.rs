//! The common parts of all roles: the type that stands for a function, and the macro that tells `plugin!` its role.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::{Ident, Item, ItemFn, ItemImpl, Type};

use crate::attribute::Arguments;

/// The role of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Transform,
    Join,
    Aggregate,
    Process,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Transform, Self::Join, Self::Aggregate, Self::Process];

    /// The name of its attribute, of its modules and of its export.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Transform => "transform",
            Self::Join => "join",
            Self::Aggregate => "aggregate",
            Self::Process => "process",
        }
    }

    /// The name of its variants in the SDK.
    pub fn variant(self) -> Ident {
        let name = match self {
            Self::Transform => "Transform",
            Self::Join => "Join",
            Self::Aggregate => "Aggregate",
            Self::Process => "Process",
        };
        Ident::new(name, Span::call_site())
    }
}

/// Names that a function can't have: a macro of the same name would be hidden by the function's own.
const STD_MACROS: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "cfg",
    "column",
    "compile_error",
    "concat",
    "dbg",
    "debug_assert",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "include",
    "include_bytes",
    "include_str",
    "line",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "print",
    "println",
    "stringify",
    "thread_local",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// Checks the common requirements of all plugin functions.
pub fn check(role: Role, function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    let fail = |tokens: &dyn ToTokens, text: &str| Err(syn::Error::new_spanned(tokens.to_token_stream(), text));
    if let Some(asyncness) = &signature.asyncness {
        return fail(asyncness, "a plugin function is called and returns: remove `async`");
    }
    let types = signature.generics.type_params().map(|param| &param.ident);
    if let Some(generic) = types.chain(signature.generics.const_params().map(|param| &param.ident)).next() {
        return fail(generic, "a plugin function has no type parameters: name the type that it takes");
    }
    let name = signature.ident.to_string();
    if STD_MACROS.contains(&name.as_str()) {
        let role = role.attribute();
        let text = format!(
            "`{name}!` is a macro of std, which this function would hide: call it something else, and #[{role}(name = \"{name}\")] keeps its name in pipelines"
        );
        return fail(&signature.ident, &text);
    }
    Ok(())
}

/// The parts of the manifest that depend on the role.
pub struct Derived {
    pub key: TokenStream,
    pub timers: bool,
    pub subtracts: bool,
    pub merges: bool,
    pub stores: TokenStream,
}

/// The function itself, and the type of the same name that stands for it: types and functions have separate names.
pub fn declare(role: Role, function: &ItemFn, arguments: &Arguments, derived: &Derived) -> TokenStream {
    let (ident, vis) = (&function.sig.ident, &function.vis);
    let name = arguments.name.as_ref().map_or_else(|| ident.to_string(), syn::LitStr::value);
    let spec = implement(role, ident, &name, arguments, derived);
    let announced = announce(role, ident, &name);
    let constants = arguments.port_constants();
    quote! {
        #function
        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis struct #ident {}
        impl #ident {
            #constants
        }
        #spec
        #announced
    }
}

/// `impl Function` for the type that stands for a function.
pub fn implement(role: Role, ident: &Ident, name: &str, arguments: &Arguments, derived: &Derived) -> TokenStream {
    let (variant, ports, codes, headers) =
        (role.variant(), arguments.port_specs(), &arguments.codes, arguments.headers);
    let Derived { key, timers, subtracts, merges, stores } = derived;
    quote! {
        impl ::millrace_sdk::__private::Function for #ident {
            const SPEC: ::millrace_sdk::__private::Spec = ::millrace_sdk::__private::Spec {
                name: #name,
                role: ::millrace_sdk::__private::Role::#variant,
                ports: &[#ports],
                key: #key,
                headers: #headers,
                timers: #timers,
                subtracts: #subtracts,
                merges: #merges,
                codes: &[#(#codes),*],
                stores: &[#stores],
            };
        }
    }
}

/// The name of the macro through which `plugin!` asks about a function. If there is no such macro, the compiler prints
/// this name, which tells the author that the attribute is missing.
pub fn asked(ident: &Ident) -> Ident {
    let is_type = ident.to_string().starts_with(char::is_uppercase);
    let attribute = if is_type { Role::Aggregate } else { Role::Transform }.attribute();
    format_ident!("{}_needs_an_attribute_such_as_{}", ident, attribute, span = ident.span())
}

/// The macro of a function, through which `plugin!` learns the function's role and name in the manifest: a macro sees
/// only its own text, and that of `plugin!` has only names.
pub fn announce(role: Role, ident: &Ident, name: &str) -> TokenStream {
    let (inner, asked) = (format_ident!("__millrace_{}", ident), asked(ident));
    let role = Ident::new(role.attribute(), Span::call_site());
    quote! {
        #[doc(hidden)]
        #[allow(unused_macros)]
        macro_rules! #inner {
            ($($state:tt)*) => { ::millrace_sdk::__private::__collect! { #role #name $($state)* } };
        }
        #[allow(unused_imports)]
        pub(crate) use #inner as #asked;
    }
}

/// The code for a rule with a mistake: a function that can be named, and a macro that makes an empty plugin.
pub fn stub(item: TokenStream) -> TokenStream {
    let (ident, function) = match syn::parse2(item) {
        Ok(Item::Fn(function)) if function.sig.receiver().is_none() => {
            let (vis, sig) = (&function.vis, &function.sig);
            let body = quote!(#[allow(warnings)] #vis #sig { ::core::unreachable!("there is a mistake in it") });
            (Some(sig.ident.clone()), body)
        }
        Ok(Item::Impl(ItemImpl { self_ty, .. })) => (name_of(&self_ty), quote!()),
        _ => (None, quote!()),
    };
    let Some(ident) = ident else { return quote!() };
    let (inner, asked) = (format_ident!("__millrace_{}", ident), asked(&ident));
    quote! {
        #function
        #[doc(hidden)]
        #[allow(unused_macros)]
        macro_rules! #inner {
            ({ name: $name:literal, $($rest:tt)* } $($state:tt)*) => {
                /// The plugin, without its functions, since one has a mistake.
                pub static PLUGIN: ::millrace_sdk::Plugin =
                    ::millrace_sdk::Plugin { name: $name, version: "", functions: &[], config: ::core::option::Option::None };
            };
        }
        #[allow(unused_imports)]
        pub(crate) use #inner as #asked;
    }
}

/// The name of a type without parameters.
fn name_of(ty: &Type) -> Option<Ident> {
    match ty {
        Type::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    }
}
