//! Where new keys are repartitioned, and what the topics are called.

use super::*;

#[test]
fn a_new_key_is_repartitioned_before_state() {
    let body = r#"
        [[source]]
        name = "orders"
        topic = "orders"
        key = "string"
        [[transform]]
        name = "by-region"
        from = "orders"
        call = "p.rekey"
        [[transform]]
        name = "checked"
        from = "by-region"
        call = "p.check"
        [[aggregate]]
        name = "trend"
        from = "checked"
        call = "p.text"
        [[sink]]
        from = "trend"
        topic = "trend"
        [[sink]]
        from = "by-region"
        topic = "regions"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source orders: topic orders; string keys, json values
        -> transform by-region
      transform by-region: calls p.rekey
        -> repartition by-region-repartition
        -> sink sink-regions
      repartition by-region-repartition: topic a-by-region-repartition
      sink sink-regions: topic regions
      dead letters: a-dlq

    sub-topology 1
      source by-region: topic a-by-region-repartition; bytes keys, bytes values
        -> transform checked
      transform checked: calls p.check
        -> aggregate trend
      aggregate trend: calls p.text
        store trend: key-value
        -> sink sink-trend
      sink sink-trend: topic trend
      dead letters: a-dlq
    ");
}

#[test]
fn a_new_key_without_later_state_is_not_repartitioned() {
    let body = r#"
        [[source]]
        name = "orders"
        topic = "orders"
        [[transform]]
        name = "by-region"
        from = "orders"
        call = "p.rekey"
        [[process]]
        name = "plain"
        from = "by-region"
        call = "p.plain"
        [[sink]]
        from = "plain"
        topic = "regions"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source orders: topic orders; bytes keys, json values
        -> transform by-region
      transform by-region: calls p.rekey
        -> process plain
      process plain: calls p.plain
        -> sink sink-regions
      sink sink-regions: topic regions
      dead letters: a-dlq
    ");
}

#[test]
fn only_the_last_of_two_new_keys_is_repartitioned() {
    let body = r#"
        [[source]]
        name = "orders"
        topic = "orders"
        [[transform]]
        name = "by-region"
        from = "orders"
        call = "p.rekey"
        [[transform]]
        name = "by-product"
        from = "by-region"
        call = "p.rekey"
        [[table]]
        name = "products"
        from = "by-product"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source orders: topic orders; bytes keys, json values
        -> transform by-region
      transform by-region: calls p.rekey
        -> transform by-product
      transform by-product: calls p.rekey
        -> repartition by-product-repartition
      repartition by-product-repartition: topic a-by-product-repartition
      dead letters: a-dlq

    sub-topology 1
      source by-product: topic a-by-product-repartition; bytes keys, bytes values
        -> table products
      table products
        store products: table, queryable
      dead letters: a-dlq
    ");
}

#[test]
fn ports_are_repartitioned_one_by_one() {
    let body = r#"
        [[source]]
        name = "orders"
        topic = "orders"
        [[transform]]
        name = "dealt"
        from = "orders"
        call = "p.deal"
        [[join]]
        name = "met"
        left = "dealt.left"
        right = "dealt.right"
        before = "1d"
        after = "90m"
        grace = "250ms"
        call = "p.pair"
        [[transform]]
        name = "fanned"
        from = "orders"
        call = "p.fan"
        [[process]]
        name = "old"
        from = "fanned.same"
        call = "p.track"
        [[process]]
        name = "new"
        from = "fanned.new"
        call = "p.track"
        [[merge]]
        name = "tracked"
        from = ["old", "new"]
        [[sink]]
        from = "tracked"
        topic = "tracked"
        [[sink]]
        from = "met"
        topic = "met"
    "#;
    insta::assert_snapshot!(topology(body), @"
    app a

    sub-topology 0
      source orders: topic orders; bytes keys, json values
        -> transform dealt
        -> transform fanned
      transform dealt: calls p.deal
        -> repartition dealt.left-repartition (left)
        -> repartition dealt.right-repartition (right)
      repartition dealt.left-repartition: topic a-dealt.left-repartition
      repartition dealt.right-repartition: topic a-dealt.right-repartition
      transform fanned: calls p.fan
        -> repartition fanned-repartition (new)
        -> process old (same)
      repartition fanned-repartition: topic a-fanned-repartition
      source fanned: topic a-fanned-repartition; bytes keys, bytes values
        -> process new
      process old: calls p.track
        store old-seen: key-value
        store old-last: key-value
        -> merge tracked
      process new: calls p.track
        store new-seen: key-value
        store new-last: key-value
        -> merge tracked
      merge tracked
        -> sink sink-tracked
      sink sink-tracked: topic tracked
      dead letters: a-dlq

    sub-topology 1
      source dealt: topic a-dealt.left-repartition; bytes keys, bytes values
        -> join met (left)
      source dealt: topic a-dealt.right-repartition; bytes keys, bytes values
        -> join met (right)
      join met: inner, 1d before to 90m after, grace 250ms; calls p.pair
        store met-window: window, kept 91800250ms
        -> sink sink-met
      sink sink-met: topic met
      dead letters: a-dlq
    ");
}

#[test]
fn a_table_of_a_new_key_is_joined_after_the_repartition() {
    let body = r#"
        [[source]]
        name = "views"
        topic = "views"
        [[source]]
        name = "events"
        topic = "events"
        [[transform]]
        name = "by-customer"
        from = "events"
        call = "p.rekey"
        [[table]]
        name = "profiles"
        from = "by-customer"
        [[lookup]]
        name = "recommended"
        stream = "views"
        table = "profiles"
        call = "p.pair"
        [[sink]]
        from = "recommended"
        topic = "recommendations"
    "#;
    insta::assert_snapshot!(topology(body), @r"
    app a

    sub-topology 0
      source events: topic events; bytes keys, json values
        -> transform by-customer
      transform by-customer: calls p.rekey
        -> repartition by-customer-repartition
      repartition by-customer-repartition: topic a-by-customer-repartition
      dead letters: a-dlq

    sub-topology 1
      source views: topic views; bytes keys, json values
        -> lookup recommended
      source by-customer: topic a-by-customer-repartition; bytes keys, bytes values
        -> table profiles
      table profiles
        store profiles: table, queryable
      lookup recommended: inner, table profiles; calls p.pair
        -> sink sink-recommendations
      sink sink-recommendations: topic recommendations
      dead letters: a-dlq
    ");
}
