//! The bindings that `wit-bindgen` makes of the contract: one world for each role, and one for rewriting, so that a
//! plugin exports only what its roles need. All worlds share the types of the first.

#![allow(missing_docs, unused_qualifications, clippy::all, reason = "generated")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "generated")]

pub mod base {
    wit_bindgen::generate!({
        inline: r#"
            package millrace:sdk;
            world sdk-base {
                import millrace:plugin/types@0.1.0;
                import millrace:plugin/logging@0.1.0;
                import millrace:plugin/metrics@0.1.0;
                import millrace:plugin/budget@0.1.0;
                export millrace:plugin/meta@0.1.0;
            }
        "#,
        path: "../wit/0.1.0",
        world: "millrace:sdk/sdk-base",
        pub_export_macro: true,
        export_macro_name: "__export_meta",
        default_bindings_module: "millrace_sdk::__private::bindings::base",
        generate_all,
    });
}

pub mod transform {
    wit_bindgen::generate!({
        inline: r#"
            package millrace:sdk;
            world sdk-transform {
                export millrace:plugin/transform@0.1.0;
            }
        "#,
        path: "../wit/0.1.0",
        world: "millrace:sdk/sdk-transform",
        with: { "millrace:plugin/types@0.1.0": crate::bindings::base::millrace::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_transform",
        default_bindings_module: "millrace_sdk::__private::bindings::transform",
        generate_all,
    });
}

pub mod join {
    wit_bindgen::generate!({
        inline: r#"
            package millrace:sdk;
            world sdk-join {
                export millrace:plugin/join@0.1.0;
            }
        "#,
        path: "../wit/0.1.0",
        world: "millrace:sdk/sdk-join",
        with: { "millrace:plugin/types@0.1.0": crate::bindings::base::millrace::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_join",
        default_bindings_module: "millrace_sdk::__private::bindings::join",
        generate_all,
    });
}

pub mod aggregate {
    wit_bindgen::generate!({
        inline: r#"
            package millrace:sdk;
            world sdk-aggregate {
                export millrace:plugin/aggregate@0.1.0;
            }
        "#,
        path: "../wit/0.1.0",
        world: "millrace:sdk/sdk-aggregate",
        with: { "millrace:plugin/types@0.1.0": crate::bindings::base::millrace::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_aggregate",
        default_bindings_module: "millrace_sdk::__private::bindings::aggregate",
        generate_all,
    });
}

pub mod process {
    wit_bindgen::generate!({
        inline: r#"
            package millrace:sdk;
            world sdk-process {
                import millrace:plugin/state@0.1.0;
                import millrace:plugin/timers@0.1.0;
                export millrace:plugin/process@0.1.0;
            }
        "#,
        path: "../wit/0.1.0",
        world: "millrace:sdk/sdk-process",
        with: { "millrace:plugin/types@0.1.0": crate::bindings::base::millrace::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_process",
        default_bindings_module: "millrace_sdk::__private::bindings::process",
        generate_all,
    });
}

pub mod rewrite {
    wit_bindgen::generate!({
        inline: r#"
            package millrace:sdk;
            world sdk-rewrite {
                export millrace:plugin/rewrite@0.1.0;
            }
        "#,
        path: "../wit/0.1.0",
        world: "millrace:sdk/sdk-rewrite",
        with: { "millrace:plugin/types@0.1.0": crate::bindings::base::millrace::plugin::types },
        pub_export_macro: true,
        export_macro_name: "__export_rewrite",
        default_bindings_module: "millrace_sdk::__private::bindings::rewrite",
        generate_all,
    });
}
