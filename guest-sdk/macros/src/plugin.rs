//! `plugin!`.
//!
//! The macro gets names of functions, but must know their roles. So it calls the macro that each function's attribute
//! has left beside the function, and that macro calls `__collect!` with the role added. The last step makes the plugin.
//! The steps pass on the state: `{ header } [ (role name path) .. ] (path being asked) [ paths to ask .. ]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Path, Token, Type, braced, bracketed, parenthesized};

use crate::attribute;
use crate::function::{self, Role};

/// The arguments of `plugin!` beside the functions.
struct Header {
    name: LitStr,
    version: Option<Expr>,
    config: Option<Type>,
}

/// The arguments of `plugin!`.
struct Plugin {
    header: Header,
    functions: Vec<Path>,
}

impl Parse for Plugin {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let (mut name, mut version, mut config, mut functions) = (None, None, None, Vec::new());
        while !input.is_empty() {
            let field: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            match field.to_string().as_str() {
                "name" => name = Some(attribute::name(input.parse()?)?),
                "version" => version = Some(input.parse()?),
                "config" => config = Some(input.parse()?),
                "functions" => {
                    let content;
                    bracketed!(content in input);
                    functions.extend(Punctuated::<Path, Token![,]>::parse_terminated(&content)?);
                }
                _ => return Err(syn::Error::new(field.span(), format!("unknown field `{field}`: {FIELDS}"))),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let name = name
            .ok_or_else(|| syn::Error::new(proc_macro2::Span::call_site(), format!("`name` is missing: {FIELDS}")))?;
        if functions.is_empty() {
            return Err(syn::Error::new(name.span(), format!("a plugin has at least one function: {FIELDS}")));
        }
        Ok(Self { header: Header { name, version, config }, functions })
    }
}

const FIELDS: &str =
    "plugin! takes `name: \"..\"`, `functions: [..]` and, if you like, `version: \"..\"` and `config: Type`";

impl Parse for Header {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Plugin::parse(input).map(|plugin| plugin.header)
    }
}

/// The first step.
pub fn begin(input: TokenStream) -> syn::Result<TokenStream> {
    let plugin: Plugin = syn::parse2(input)?;
    let Header { name, version, config } = &plugin.header;
    let version = version.as_ref().map(|version| quote!(version: #version,));
    let config = config.as_ref().map(|config| quote!(config: #config,));
    // `Plugin::parse` reads this again, and requires a function.
    let header = quote!(name: #name, #version #config functions: [x]);
    let mut functions = plugin.functions.iter();
    let first = functions.next();
    let asked = first.map(asked);
    Ok(quote!(#asked! { { #header } [] (#first) [#(#functions,)*] }))
}

/// The macro that describes the function of this path.
fn asked(function: &Path) -> Path {
    let mut asked = function.clone();
    if let Some(last) = asked.segments.last_mut() {
        last.ident = function::asked(&last.ident);
    }
    asked
}

/// A function whose role is known.
struct Known {
    role: Role,
    name: LitStr,
    path: Path,
}

impl Parse for Known {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let content;
        parenthesized!(content in input);
        Ok(Self { role: role(&content)?, name: content.parse()?, path: content.parse()? })
    }
}

impl ToTokens for Known {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let (role, name, path) = (Ident::new(self.role.attribute(), self.name.span()), &self.name, &self.path);
        tokens.extend(quote!((#role #name #path)));
    }
}

fn role(input: ParseStream<'_>) -> syn::Result<Role> {
    let ident: Ident = input.parse()?;
    let role = Role::ALL.into_iter().find(|role| ident == role.attribute());
    role.ok_or_else(|| syn::Error::new(ident.span(), "not a role"))
}

/// The state between two steps, and the function that the last one added.
struct State {
    header: Header,
    header_tokens: TokenStream,
    known: Vec<Known>,
    rest: Vec<Path>,
}

impl Parse for State {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let role = role(input)?;
        let name = input.parse()?;
        let (header, known, path, rest);
        braced!(header in input);
        bracketed!(known in input);
        parenthesized!(path in input);
        bracketed!(rest in input);
        let header_tokens: TokenStream = header.parse()?;
        let mut functions = Vec::new();
        while !known.is_empty() {
            functions.push(known.parse()?);
        }
        functions.push(Known { role, name, path: path.parse()? });
        let rest = Punctuated::<Path, Token![,]>::parse_terminated(&rest)?.into_iter().collect();
        Ok(Self { header: syn::parse2(header_tokens.clone())?, header_tokens, known: functions, rest })
    }
}

/// Every further step.
pub fn collect(input: TokenStream) -> syn::Result<TokenStream> {
    let State { header, header_tokens, known, rest } = syn::parse2(input)?;
    let mut rest = rest.iter();
    if let Some(next) = rest.next() {
        let asked = asked(next);
        return Ok(quote!(#asked! { { #header_tokens } [#(#known)*] (#next) [#(#rest,)*] }));
    }
    distinct(&known)?;
    let (plugin, guest) = (plugin(&header, &known), guest(&known));
    Ok(quote!(#plugin #guest))
}

fn distinct(known: &[Known]) -> syn::Result<()> {
    for (index, function) in known.iter().enumerate() {
        let name = function.name.value();
        if known.iter().take(index).any(|other| other.name.value() == name) {
            let role = function.role.attribute();
            let text = format!(
                "two functions are called `{name}`: give one of them another name in the manifest, as in #[{role}(name = \"..\")]"
            );
            return Err(syn::Error::new_spanned(&function.path, text));
        }
    }
    Ok(())
}

/// `pub static PLUGIN`.
fn plugin(header: &Header, known: &[Known]) -> TokenStream {
    let name = &header.name;
    let version = header.version.as_ref().map_or_else(|| quote!(::core::env!("CARGO_PKG_VERSION")), |v| quote!(#v));
    let config = header.config.as_ref().map_or_else(
        || quote!(::core::option::Option::None),
        |config| {
            quote!(::core::option::Option::Some(::millrace_sdk::__private::ConfigSpec {
                schema: ::millrace_sdk::__private::schema::<#config>,
                read: ::millrace_sdk::__private::read::<#config>,
            }))
        },
    );
    let entries = known.iter().map(|function| {
        let (path, variant) = (&function.path, function.role.variant());
        let run = match function.role {
            Role::Transform | Role::Join => {
                let batch = format_ident!("{}_batch", function.role.attribute());
                quote!(::millrace_sdk::__private::#batch::<#path>)
            }
            Role::Aggregate | Role::Process => {
                let functions = format_ident!("{}Functions", variant);
                quote!(::millrace_sdk::__private::#functions::of::<#path>())
            }
        };
        quote!(::millrace_sdk::__private::Entry {
            spec: &<#path as ::millrace_sdk::__private::Function>::SPEC,
            run: ::millrace_sdk::__private::Run::#variant(#run),
        })
    });
    quote! {
        /// The plugin, for native tests.
        pub static PLUGIN: ::millrace_sdk::Plugin = ::millrace_sdk::Plugin {
            name: #name,
            version: #version,
            functions: &[#(#entries),*],
            config: #config,
        };
    }
}

/// The exports of the component: `meta`, the roles in use, and `rewrite` if one of them may have stores.
fn guest(known: &[Known]) -> TokenStream {
    let roles = Role::ALL.into_iter().filter(|role| known.iter().any(|function| function.role == *role));
    let exports = roles.map(export);
    let rewrite = known.iter().any(|function| matches!(function.role, Role::Aggregate | Role::Process));
    let rewrite = rewrite.then(export_rewrite);
    quote! {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, unused_qualifications)]
        const _: () = {
            use ::millrace_sdk::__private as sdk;
            struct Guest;
            impl sdk::bindings::base::exports::millrace::plugin::meta::Guest for Guest {
                fn describe() -> sdk::Manifest {
                    sdk::describe(&PLUGIN)
                }
                fn configure(
                    json: ::std::string::String,
                    versions: ::std::vec::Vec<sdk::WriteVersion>,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    sdk::configure(&PLUGIN, &json, versions)
                }
            }
            ::millrace_sdk::__private::__export_meta!(Guest with_types_in ::millrace_sdk::__private::bindings::base);
            #(#exports)*
            #rewrite
        };
    }
}

fn export(role: Role) -> TokenStream {
    let functions = match role {
        Role::Transform => quote! {
            fn transform(function: u32, payload: sdk::Payload, messages: ::std::vec::Vec<sdk::Message>) -> sdk::Reply {
                sdk::transform(&PLUGIN, function, payload, messages)
            }
        },
        Role::Join => quote! {
            fn join(function: u32, payload: sdk::Payload, pairs: ::std::vec::Vec<interface::Pair>) -> sdk::Reply {
                sdk::join(&PLUGIN, function, payload, pairs)
            }
        },
        Role::Aggregate => quote! {
            fn aggregate(
                function: u32,
                payload: sdk::Payload,
                groups: ::std::vec::Vec<interface::Group>,
                absorbed: ::std::vec::Vec<sdk::Stored>,
                entries: ::std::vec::Vec<interface::Entry>,
                mode: interface::Mode,
            ) -> interface::Aggregated {
                sdk::aggregate(&PLUGIN, function, payload, groups, absorbed, entries, mode)
            }
        },
        Role::Process => quote! {
            fn process(function: u32, payload: sdk::Payload, message: sdk::Message) -> sdk::Reply {
                sdk::process(&PLUGIN, function, payload, message)
            }
            fn on_timer(function: u32, arena: ::std::vec::Vec<u8>, due: interface::Due) -> sdk::Reply {
                sdk::on_timer(&PLUGIN, function, arena, due)
            }
        },
    };
    export_interface(role.attribute(), &functions)
}

fn export_rewrite() -> TokenStream {
    let functions = quote! {
        fn rewrite(
            function: u32,
            store: u32,
            arena: ::std::vec::Vec<u8>,
            values: ::std::vec::Vec<sdk::Stored>,
        ) -> interface::Rewritten {
            sdk::rewrite(&PLUGIN, function, store, arena, values)
        }
    };
    export_interface("rewrite", &functions)
}

/// Exports an interface of the contract.
fn export_interface(name: &str, functions: &TokenStream) -> TokenStream {
    let module = Ident::new(name, proc_macro2::Span::call_site());
    let export = format_ident!("__export_{}", module);
    quote! {
        const _: () = {
            use sdk::bindings::#module::exports::millrace::plugin::#module as interface;
            impl interface::Guest for Guest {
                #functions
            }
            ::millrace_sdk::__private::#export!(Guest with_types_in ::millrace_sdk::__private::bindings::#module);
        };
    }
}
