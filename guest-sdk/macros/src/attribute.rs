//! The arguments of an attribute: `#[transform(ports(high, low), codes("too-small"), headers)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Ident, LitStr, Path, Token, parenthesized};

use crate::function::Role;

/// The arguments of an attribute.
#[derive(Default)]
pub struct Arguments {
    /// Name in the manifest, if it isn't the function's own.
    pub name: Option<LitStr>,
    /// Ports, in order; none: one with the name `out`.
    pub ports: Vec<Port>,
    /// Whether the only port changes the key.
    pub rekey: bool,
    /// Codes of failures and skips.
    pub codes: Vec<LitStr>,
    /// Whether the function gets headers.
    pub headers: bool,
    /// The function for timers.
    pub on_timer: Option<Path>,
}

/// A port.
pub struct Port {
    ident: Ident,
    rekey: bool,
}

impl Arguments {
    /// Reads the arguments of a function of this role.
    pub fn parse(role: Role, tokens: TokenStream) -> syn::Result<Self> {
        let mut arguments = Self::default();
        syn::meta::parser(|meta| arguments.argument(role, &meta)).parse2(tokens)?;
        if let (true, Some(port)) = (arguments.rekey, arguments.ports.first()) {
            let name = &port.ident;
            return Err(syn::Error::new(
                name.span(),
                format!("with ports, `rekey` belongs to a port: ports({name}(rekey))"),
            ));
        }
        Ok(arguments)
    }

    fn argument(&mut self, role: Role, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(name(meta.value()?.parse()?)?);
        } else if meta.path.is_ident("ports") && role != Role::Aggregate {
            return self.ports(meta);
        } else if meta.path.is_ident("rekey") && role != Role::Aggregate {
            self.rekey = true;
        } else if meta.path.is_ident("headers") {
            self.headers = true;
        } else if meta.path.is_ident("codes") {
            let content;
            parenthesized!(content in meta.input);
            self.codes.extend(content.parse_terminated(<LitStr as syn::parse::Parse>::parse, Token![,])?);
        } else if meta.path.is_ident("on_timer") && role == Role::Process {
            self.on_timer = Some(meta.value()?.parse()?);
        } else {
            return Err(meta.error(format!("unknown argument of #[{}]: it takes {}", role.attribute(), known(role))));
        }
        Ok(())
    }

    fn ports(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        meta.parse_nested_meta(|port| {
            let ident = port.path.require_ident()?.clone();
            let mut rekey = false;
            if !port.input.is_empty() && !port.input.peek(Token![,]) {
                port.parse_nested_meta(|option| {
                    rekey = option.path.is_ident("rekey");
                    if rekey { Ok(()) } else { Err(option.error("a port can only be `rekey`")) }
                })?;
            }
            if self.ports.iter().any(|other| other.ident == ident) {
                return Err(syn::Error::new(ident.span(), format!("port `{ident}` is there twice")));
            }
            self.ports.push(Port { ident, rekey });
            Ok(())
        })
    }

    /// Constants of the function's type for its ports: `HIGH` for `high`.
    pub fn port_constants(&self) -> TokenStream {
        let constants = self.ports.iter().enumerate().map(|(index, port)| {
            let name = format_ident!("{}", port.ident.to_string().to_uppercase(), span = port.ident.span());
            let index = index as u32;
            quote! {
                // A function may use only some of its ports by name.
                #[allow(dead_code)]
                pub(crate) const #name: ::millrace_sdk::Port = ::millrace_sdk::Port(#index);
            }
        });
        quote!(#(#constants)*)
    }

    /// The ports of the manifest.
    pub fn port_specs(&self) -> TokenStream {
        let spec =
            |name: String, rekey: bool| quote!(::millrace_sdk::__private::PortSpec { name: #name, rekey: #rekey });
        if self.ports.is_empty() {
            return spec("out".into(), self.rekey);
        }
        let specs = self.ports.iter().map(|port| spec(port.ident.to_string(), port.rekey));
        quote!(#(#specs),*)
    }
}

fn known(role: Role) -> &'static str {
    match role {
        Role::Transform | Role::Join => "`name = \"..\"`, `ports(..)`, `rekey`, `codes(\"..\")` and `headers`",
        Role::Aggregate => "`name = \"..\"`, `codes(\"..\")` and `headers`",
        Role::Process => "`name = \"..\"`, `ports(..)`, `rekey`, `codes(\"..\")`, `headers` and `on_timer = function`",
    }
}

/// Checks a name that pipeline files use.
pub fn name(name: LitStr) -> syn::Result<LitStr> {
    let text = name.value();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || !text.bytes().all(good) {
        return Err(syn::Error::new(name.span(), "a name consists of letters, digits, `-` and `_`"));
    }
    Ok(name)
}
