//! Tables, their joins and their aggregates, as text, in every way of running: see `support`.

mod support;

use support::{check, check_counts};

const ROWS: &str = "[[table]]\nname = \"rows\"\ntopic = \"rows\"\nvalue = \"bytes\"\n";

/// An aggregate of a table, behind these steps.
fn aggregate(steps: &str, from: &str) -> String {
    format!(
        "{ROWS}{steps}[[aggregate]]\nname = \"step\"\nfrom = \"{from}\"\ncall = \"t.append\"
         [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n"
    )
}

fn transform(name: &str, from: &str, call: &str) -> String {
    format!("[[transform]]\nname = \"{name}\"\nfrom = \"{from}\"\ncall = \"t.{call}\"\n")
}

fn tables(kind: &str) -> String {
    format!(
        "[[table]]\nname = \"left\"\ntopic = \"left\"\nvalue = \"bytes\"
         [[table]]\nname = \"right\"\ntopic = \"right\"\nvalue = \"bytes\"
         [[table-join]]\nname = \"both\"\nleft = \"left\"\nright = \"right\"\nkind = \"{kind}\"\ncall = \"t.cat\"\n"
    )
}

#[test]
fn a_left_lookup_accepts_records_without_a_row_or_key_but_not_without_a_value() {
    let steps = "
        [[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"
        [[table]]\nname = \"rows\"\ntopic = \"rows\"\nvalue = \"bytes\"
        [[lookup]]\nname = \"step\"\nstream = \"in\"\ntable = \"rows\"\nkind = \"left\"\ncall = \"t.cat\"
        [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n";
    let input = "in a 1 @1\nrows a x @9\nin a 2 @2\nin - 3 @3\nin a - @4\nin - - @5";
    check(steps, input, "out a 1+~ @1\nout a 2+x @2\nout - 3+~ @3");
    check_counts(steps, input, "step dropped null-key 1\nstep dropped null-value 1");
}

#[test]
fn a_table_deletes_a_row_at_a_tombstone() {
    let steps = "
        [[source]]\nname = \"in\"\ntopic = \"in\"\nvalue = \"bytes\"
        [[source]]\nname = \"other\"\ntopic = \"other\"\nvalue = \"bytes\"
        [[table]]\nname = \"kept\"\nfrom = \"in\"
        [[lookup]]\nname = \"step\"\nstream = \"other\"\ntable = \"kept\"\nkind = \"left\"\ncall = \"t.cat\"
        [[sink]]\nfrom = \"step\"\ntopic = \"out\"
        [[sink]]\nfrom = \"kept\"\ntopic = \"changes\"\n";
    check(
        steps,
        "in a - @1\nin a x @2\nother a 1 @3\nin a - @4\nother a 2 @5\nin - y @6",
        "changes a - @1\nchanges a x @2\nout a 1+x @3\nchanges a - @4\nout a 2+~ @5",
    );
}

#[test]
fn a_join_of_tables_deletes_a_row_without_a_call_if_a_required_side_is_missing() {
    let steps = format!("{}[[sink]]\nfrom = \"both\"\ntopic = \"out\"\n", tables("inner"));
    check(
        &steps,
        "left a trap @5\nright a x @3\nleft a 1 @2\nright a y @1\nleft a - @9\nright a - @10\nleft a - @11",
        "dead a x @3 trap at both from right/0
         out a 1+x @3
         out a 1+y @2
         out a - @9",
    );
}

#[test]
fn a_left_join_of_tables_keeps_rows_of_the_left_side_until_they_are_deleted() {
    let steps = format!("{}[[sink]]\nfrom = \"both\"\ntopic = \"out\"\n", tables("left"));
    check(
        &steps,
        "right a x @1\nleft a - @2\nleft a 1 @3\nright a - @4\nleft a - @5\nleft a - @6",
        "out a - @2\nout a 1+x @3\nout a 1+~ @4\nout a - @5",
    );
}

#[test]
fn an_aggregate_of_a_table_subtracts_the_old_row_before_it_adds_the_new_one() {
    check(
        &aggregate("", "rows"),
        "rows a 1 @10\nrows a 2 @20\nrows b x @5\nrows a - @30\nrows a - @31\nrows a 3 @1\nrows - 4 @2",
        "out a ,1 @10
         out a none @20
         out a ,2 @20
         out b ,x @5
         out a none @30
         out a ,3 @1",
    );
}

#[test]
fn a_row_is_subtracted_under_the_key_under_which_it_was_added() {
    check(
        &aggregate(&transform("new", "rows", "rekey"), "new"),
        "rows k1 apple @10\nrows k2 avocado @12\nrows k1 banana @11\nrows k2 - @20",
        "out a ,apple @10
         out a ,apple,avocado @12
         out a ,avocado @12
         out b ,banana @11
         out a none @20",
    );
}

#[test]
fn steps_beside_an_aggregate_get_deletions_and_no_old_rows() {
    let steps = transform("new", "rows", "rekey") + "[[sink]]\nfrom = \"new\"\ntopic = \"plain\"\n";
    check(
        &aggregate(&steps, "new"),
        "rows k1 apple @10\nrows k1 beet @11\nrows k1 - @12",
        "plain a apple @10
         out a ,apple @10
         plain b beet @11
         out a none @11
         out b ,beet @11
         plain ~ ~ @12
         out b none @12",
    );
}

#[test]
fn a_table_behind_the_same_repartition_topic_as_an_aggregate_gets_deletions() {
    let steps = transform("new", "rows", "rekey")
        + "[[table]]\nname = \"kept\"\nfrom = \"new\"\n[[sink]]\nfrom = \"kept\"\ntopic = \"kept\"\n";
    check(
        &aggregate(&steps, "new"),
        "rows k1 apple @10\nrows k1 avocado @11\nrows k1 - @12",
        "kept a apple @10
         out a ,apple @10
         out a none @11
         kept a avocado @11
         out a ,avocado @11
         out a none @12
         kept ~ ~ @12",
    );
}

#[test]
fn a_row_that_failed_when_it_was_new_fails_silently_when_it_is_subtracted() {
    let steps = aggregate(&transform("up", "rows", "upper"), "up");
    let input = "rows a fail @1\nrows a x @2\nrows a trap @3\nrows a y @4\nrows a skip @5\nrows a - @6";
    check(
        &steps,
        input,
        "dead a fail @1 bad at up from rows/0
         out a ,X @2
         out a none @3
         dead a trap @3 trap at up from rows/2
         out a ,Y @4
         out a none @5",
    );
    check_counts(
        &steps,
        input,
        "step plugin entries 4\nup skipped unwanted 1\nup dead-lettered bad 1\nup dead-lettered trap 1\nup plugin seen 4",
    );
}

#[test]
fn a_table_makes_the_rows_of_a_join_of_tables_subtractable() {
    let steps = format!(
        "{}[[table]]\nname = \"kept\"\nfrom = \"both\"
         [[aggregate]]\nname = \"step\"\nfrom = \"kept\"\ncall = \"t.append\"
         [[sink]]\nfrom = \"step\"\ntopic = \"out\"\n",
        tables("inner")
    );
    check(
        &steps,
        "left a 1 @1\nright a x @2\nleft a 2 @3\nright a - @4",
        "out a ,1+x @2\nout a none @3\nout a ,2+x @3\nout a none @4",
    );
}
