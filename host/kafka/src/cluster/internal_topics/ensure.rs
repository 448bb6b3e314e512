//! Making the internal topics that are missing, and checking all of them.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::RDKafkaErrorCode;

use super::{InternalTopic, LARGEST, NO_TIME_LIMIT, TIME_DIFFERENCE, TIME_LIMITS, UNCLEAN};
use crate::client::app::App;
use crate::client::native::NotMade;
use crate::cluster::{Cluster, TopicSpec};
use crate::error::Error;

/// The sizes of records that clusters with a limit allow, as far as is known.
const SMALLER: [usize; 2] = [20 << 20, 8 << 20];

/// Settings that a topic is made without where the cluster refuses them: older brokers don't know all of them, and
/// policies may forbid them. The topic's actual settings are checked afterwards.
const OPTIONAL: [&str; 8] = [
    TIME_LIMITS[0],
    TIME_LIMITS[1],
    TIME_DIFFERENCE,
    UNCLEAN,
    "message.timestamp.type",
    "retention.bytes",
    "segment.bytes",
    "delete.retention.ms",
];

/// Makes the internal topics that are missing, and checks all of them.
///
/// # Errors
/// [`Error::Setup`]: one isn't what it must be, or the cluster refuses to make it so.
pub(crate) fn ensure(app: App<'_>, cluster: &Cluster, topics: &[&InternalTopic]) -> Result<(), Error> {
    let (mut missing, mut there, mut growing) = (Vec::new(), Vec::new(), Vec::new());
    for topic in topics {
        let Some(count) = cluster.partitions(&topic.spec.name)? else {
            missing.push(*topic);
            continue;
        };
        there.push(*topic);
        if needs_more(app, topic, count)? {
            growing.push(&topic.spec);
        }
    }
    // A start that is refused changes nothing.
    check_settings(cluster, &there)?;
    for spec in growing {
        cluster.grow(&spec.name, spec.partitions)?;
    }
    make(cluster, &missing.iter().map(|topic| topic.spec.clone()).collect::<Vec<_>>())?;
    check_settings(cluster, &missing)
}

/// Checks the settings of those topics that are the app's alone.
fn check_settings(cluster: &Cluster, topics: &[&InternalTopic]) -> Result<(), Error> {
    let private: Vec<_> = topics.iter().filter(|topic| topic.is_private).map(|topic| &topic.spec).collect();
    if private.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = private.iter().map(|spec| spec.name.as_str()).collect();
    let configs = cluster.configs(&names)?;
    for spec in private {
        let Some(config) = configs.get(&spec.name) else {
            tracing::warn!(
                topic = spec.name,
                must_have = must_have(spec),
                "the topic's settings may not be seen, and aren't checked: allow the app's user the operation \
                 `DescribeConfigs` on it"
            );
            continue;
        };
        for warning in check(spec, config)? {
            tracing::warn!(topic = spec.name, "{warning}");
        }
    }
    Ok(())
}

/// Makes topics, with less than was asked for where the cluster allows no more.
fn make(cluster: &Cluster, topics: &[TopicSpec]) -> Result<(), Error> {
    let mut asked = topics.to_vec();
    while !asked.is_empty() {
        let refused = cluster.create(&asked)?;
        let spec = |it: &NotMade| asked.iter().find(|spec| spec.name == it.topic).cloned();
        let again = refused.iter().filter_map(|it| Some(relaxed(&spec(it)?, it)));
        asked = again.collect::<Result<_, _>>()?;
        for spec in &asked {
            tracing::info!(
                topic = spec.name,
                config = settings(spec),
                "the cluster refuses the topic as it should be: asking for less"
            );
        }
    }
    cluster.wait_for(topics)
}

/// The settings to ask for when these are refused: smaller records first, since larger ones become dead letters; then
/// without the settings that can be checked afterwards. If the broker names settings, only these change.
fn relaxed(spec: &TopicSpec, refused: &NotMade) -> Result<TopicSpec, Error> {
    let NotMade { topic, code, text } = refused;
    let no = || {
        Error::Setup(format!(
            "internal topic `{topic}` can't be made: {text}. It should have {}. If the cluster bounds the size of \
             records, set `message.max.bytes` under [kafka] to that; else have who runs the cluster make the topic \
             with {} partitions",
            settings(spec),
            spec.partitions
        ))
    };
    if !matches!(code, RDKafkaErrorCode::PolicyViolation | RDKafkaErrorCode::InvalidConfig) {
        return Err(no());
    }
    let is_named = |name: &&str| text.contains(*name);
    let any = spec.config.keys().any(is_named);
    let is_meant = |name: &&str| !any || is_named(name);
    let mut less = spec.clone();
    if let Some(bytes) = spec.config.get(LARGEST).filter(|_| is_meant(&LARGEST)) {
        let bytes: usize = bytes.parse().unwrap_or(0);
        match SMALLER.into_iter().find(|smaller| *smaller < bytes) {
            Some(smaller) => less.config.insert(LARGEST, smaller.to_string()),
            None => less.config.remove(LARGEST),
        };
        return Ok(less);
    }
    less.config.retain(|name, _| !(OPTIONAL.contains(name) && is_meant(name)));
    if less.config.len() == spec.config.len() {
        return Err(no());
    }
    // The broker is older than the setting, and knows its predecessor.
    if *code == RDKafkaErrorCode::InvalidConfig && TIME_LIMITS.into_iter().any(|name| text.contains(name)) {
        less.config.insert(TIME_DIFFERENCE, NO_TIME_LIMIT.to_string());
    }
    Ok(less)
}

/// The settings that results depend on.
fn must_have(spec: &TopicSpec) -> String {
    let mut must = spec.clone();
    must.config.retain(|name, _| {
        *name != LARGEST && *name != UNCLEAN && *name != "segment.bytes" && !TIME_LIMITS.contains(name)
    });
    settings(&must)
}

fn settings(spec: &TopicSpec) -> String {
    spec.config.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// Whether a topic that has so many partitions needs more.
///
/// # Errors
/// [`Error::Setup`]: it has another number of them, and keys are spread over them.
fn needs_more(app: App<'_>, topic: &InternalTopic, count: u32) -> Result<bool, Error> {
    let TopicSpec { name, partitions, .. } = &topic.spec;
    if topic.is_meta {
        return Ok(count < *partitions);
    }
    if !topic.is_private || count == *partitions {
        return Ok(false);
    }
    Err(Error::Setup(format!(
        "internal topic `{name}` has {count} partitions, and the pipeline's inputs make it {partitions}: state would \
         be looked for in the wrong partition, and Kafka takes no partitions away from inputs. Start anew with {}",
        app.reset()
    )))
}

/// Checks the settings of a topic that results depend on. A smaller limit on records than asked for is no fault: tasks
/// know the limit. Gives warnings about settings that cost single records, or any if brokers are lost.
///
/// # Errors
/// [`Error::Setup`]: a setting would change results.
fn check(spec: &TopicSpec, config: &BTreeMap<String, String>) -> Result<BTreeSet<String>, Error> {
    let has_time_limits = TIME_LIMITS.iter().any(|name| spec.config.contains_key(name));
    let mut warnings = if has_time_limits { time_limits(config) } else { BTreeSet::new() };
    for (name, wanted) in &spec.config {
        let Some(found) = config.get(*name) else { continue };
        let is_enough = number(found) >= number(wanted);
        let (good, so) = match *name {
            "cleanup.policy" => (policies(found) == policies(wanted), "records would be deleted that are still needed"),
            "retention.ms" | "retention.bytes" => (is_enough, "records would be deleted that are still needed"),
            "delete.retention.ms" => (is_enough, "state that is restored could have entries that were deleted"),
            "message.timestamp.type" => (found == wanted, "records would lose their event time"),
            UNCLEAN if found != wanted => {
                warnings.insert(format!(
                    "the topic has {name}={found}: where the brokers that have its last records are lost, another one \
                     may lead without them, and what was committed is gone: set it to {wanted}"
                ));
                continue;
            }
            _ => continue,
        };
        if !good {
            return Err(Error::Setup(format!(
                "internal topic `{}` has {name}={found}, and {so}: set it to {wanted}",
                spec.name
            )));
        }
    }
    Ok(warnings)
}

/// Warnings about limits on timestamps. Where a limit has its default, its predecessor is in force.
fn time_limits(config: &BTreeMap<String, String>) -> BTreeSet<String> {
    let own = |name| config.get_key_value(name).filter(|(_, found)| number(found) < i64::MAX);
    let limits = TIME_LIMITS.into_iter().filter_map(|name| own(name).or_else(|| config.get_key_value(TIME_DIFFERENCE)));
    let limits = limits.filter(|(_, found)| number(found) < NO_TIME_LIMIT);
    let warning = |(name, found): (&String, &String)| {
        format!(
            "the topic has {name}={found}, and the broker refuses records whose time is further away: set it to \
             {NO_TIME_LIMIT}"
        )
    };
    limits.map(warning).collect()
}

/// Cleanup policies, in whatever order they are written.
fn policies(text: &str) -> BTreeSet<&str> {
    text.split(',').map(str::trim).collect()
}

/// A number of a setting, where one below 0 stands for no limit.
fn number(text: &str) -> i64 {
    text.parse().map_or(0, |number: i64| if number < 0 { i64::MAX } else { number })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const APP: App<'static> = App { name: "shop", bootstrap: "kafka:9092" };
    const POLICY: RDKafkaErrorCode = RDKafkaErrorCode::PolicyViolation;

    fn spec(config: &[(&'static str, &str)]) -> TopicSpec {
        let config = config.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        TopicSpec { name: "shop-sums-changelog".into(), partitions: 4, config }
    }

    fn refused(code: RDKafkaErrorCode, text: &str) -> NotMade {
        NotMade { topic: "shop-sums-changelog".into(), code, text: text.into() }
    }

    fn config(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The settings of each attempt, while a cluster refuses with this text.
    fn attempts(first: TopicSpec, text: &str) -> (Vec<String>, String) {
        let mut all = vec![settings(&first)];
        let mut next = first;
        loop {
            match relaxed(&next, &refused(POLICY, text)) {
                Ok(less) => {
                    all.push(settings(&less));
                    next = less;
                }
                Err(error) => return (all, error.to_string()),
            }
        }
    }

    #[test]
    fn where_the_cluster_names_a_setting_only_that_one_is_asked_for_with_less() {
        let first = spec(&[("cleanup.policy", "compact"), (LARGEST, "83886080"), ("segment.bytes", "83886080")]);
        let (all, _) = attempts(first, "max.message.bytes must be at most 10000000 (POLICY_VIOLATION)");
        let rest = "segment.bytes=83886080";
        assert_eq!(
            all,
            [
                format!("cleanup.policy=compact max.message.bytes=83886080 {rest}"),
                format!("cleanup.policy=compact max.message.bytes=20971520 {rest}"),
                format!("cleanup.policy=compact max.message.bytes=8388608 {rest}"),
                format!("cleanup.policy=compact {rest}"),
                "cleanup.policy=compact".to_owned(),
            ]
        );
    }

    #[test]
    fn where_no_setting_is_named_records_become_smaller_first_and_optional_settings_go_last() {
        let first = spec(&[("cleanup.policy", "compact"), (LARGEST, "83886080"), ("retention.bytes", "-1")]);
        let (all, error) = attempts(first, "Policy violation (POLICY_VIOLATION)");
        assert_eq!(all.len(), 5, "{all:?}");
        assert_eq!(all.last().unwrap(), "cleanup.policy=compact");
        assert_eq!(
            error,
            "internal topic `shop-sums-changelog` can't be made: Policy violation (POLICY_VIOLATION). It should have \
             cleanup.policy=compact. If the cluster bounds the size of records, set `message.max.bytes` under [kafka] \
             to that; else have who runs the cluster make the topic with 4 partitions"
        );
    }

    #[test]
    fn an_older_broker_gets_the_topic_with_the_setting_that_it_knows() {
        let first = spec(&[("cleanup.policy", "compact"), (LARGEST, "83886080"), (TIME_LIMITS[0], "9")]);
        let text = format!("Unknown topic config name: {} (INVALID_CONFIG)", TIME_LIMITS[0]);
        let less = relaxed(&first, &refused(RDKafkaErrorCode::InvalidConfig, &text)).unwrap();
        let old = format!("{TIME_DIFFERENCE}={NO_TIME_LIMIT}");
        assert_eq!(settings(&less), format!("cleanup.policy=compact max.message.bytes=83886080 {old}"));
        let text = format!("Unknown topic config name: {TIME_DIFFERENCE} (INVALID_CONFIG)");
        let less = relaxed(&less, &refused(RDKafkaErrorCode::InvalidConfig, &text)).unwrap();
        assert_eq!(settings(&less), "cleanup.policy=compact max.message.bytes=83886080");
    }

    #[test]
    fn the_meta_changelog_grows_with_the_inputs_and_that_of_a_step_whose_name_ends_alike_does_not() {
        let topic = |name: &str, is_meta| {
            let spec = TopicSpec { name: name.into(), ..spec(&[]) };
            InternalTopic { spec, is_private: true, is_meta }
        };
        let needs_more =
            |topic: &InternalTopic, count| needs_more(APP, topic, count).map_err(|error| error.to_string());
        let meta = topic("shop-meta-changelog", true);
        assert_eq!([3, 4, 5].map(|count| needs_more(&meta, count)), [Ok(true), Ok(false), Ok(false)]);
        let step = topic("shop-order-meta-changelog", false);
        assert_eq!(needs_more(&step, 4), Ok(false));
        for count in [3, 5] {
            let said = needs_more(&step, count);
            assert!(said.as_ref().is_err_and(|text| text.contains("looked for in the wrong partition")), "{said:?}");
        }
        let letters = InternalTopic { is_private: false, ..step };
        assert_eq!(needs_more(&letters, 1), Ok(false), "how they are spread is for those who read them to say");
    }

    #[test]
    fn other_refusals_are_final() {
        let code = RDKafkaErrorCode::ClusterAuthorizationFailed;
        assert!(relaxed(&spec(&[(LARGEST, "83886080")]), &refused(code, "no")).is_err());
    }

    #[test]
    fn the_order_of_policies_and_the_size_of_records_do_not_matter() {
        let wanted = spec(&[("cleanup.policy", "compact,delete"), (LARGEST, "83886080"), ("retention.bytes", "-1")]);
        let found = config(&[("cleanup.policy", "delete, compact"), (LARGEST, "1048588"), ("retention.bytes", "-1")]);
        assert!(check(&wanted, &found).unwrap().is_empty());
    }

    #[test]
    fn a_setting_that_would_change_results_is_named_with_the_value_it_must_have() {
        for (name, wanted, found, so) in [
            ("cleanup.policy", "compact", "compact,delete", "records would be deleted that are still needed"),
            ("retention.ms", "-1", "604800000", "records would be deleted that are still needed"),
            ("retention.bytes", "-1", "1000000", "records would be deleted that are still needed"),
            ("delete.retention.ms", "86400000", "1000", "state that is restored could have entries that were deleted"),
            ("message.timestamp.type", "CreateTime", "LogAppendTime", "records would lose their event time"),
        ] {
            let error = check(&spec(&[(name, wanted)]), &config(&[(name, found)])).unwrap_err().to_string();
            let expected =
                format!("internal topic `shop-sums-changelog` has {name}={found}, and {so}: set it to {wanted}");
            assert_eq!(error, expected);
        }
    }

    #[test]
    fn a_leader_that_may_lack_records_is_a_warning() {
        let wanted = spec(&[(UNCLEAN, "false")]);
        let warnings = check(&wanted, &config(&[(UNCLEAN, "true")])).unwrap();
        assert!(warnings.iter().all(|text| text.contains("unclean.leader.election.enable=true")), "{warnings:?}");
        assert_eq!(warnings.len(), 1);
        assert!(check(&wanted, &config(&[(UNCLEAN, "false")])).unwrap().is_empty());
        let text = format!("{UNCLEAN} may not be set (POLICY_VIOLATION)");
        let less =
            relaxed(&spec(&[("cleanup.policy", "compact"), (UNCLEAN, "false")]), &refused(POLICY, &text)).unwrap();
        assert_eq!(settings(&less), "cleanup.policy=compact", "a cluster that doesn't have it set may be right");
    }

    #[test]
    fn a_limit_of_times_is_a_warning_under_its_old_name_too() {
        let none = NO_TIME_LIMIT.to_string();
        let (forever, wanted) = (i64::MAX.to_string(), spec(&TIME_LIMITS.map(|name| (name, none.as_str()))));
        let [after, before] = TIME_LIMITS;
        let hour = "3600000";
        for (found, expected) in [
            (&[(after, hour), (before, none.as_str())][..], &[after][..]),
            (&[(after, &none), (before, &none)], &[]),
            (&[(after, &forever), (before, &forever)], &[]),
            // Up to Kafka 3.9, both names are there.
            (&[(after, &none), (before, &none), (TIME_DIFFERENCE, hour)], &[]),
            (&[(after, &forever), (before, &none), (TIME_DIFFERENCE, hour)], &[TIME_DIFFERENCE]),
            (&[(after, &forever), (before, &forever), (TIME_DIFFERENCE, &forever)], &[]),
            // Before 3.6, the old one only.
            (&[(TIME_DIFFERENCE, hour)], &[TIME_DIFFERENCE]),
            (&[(TIME_DIFFERENCE, &none)], &[]),
        ] {
            let warnings = check(&wanted, &config(found)).unwrap();
            let is_of = |(text, name): (&String, &&str)| text.starts_with(&format!("the topic has {name}=3600000"));
            assert_eq!(warnings.len(), expected.len(), "{found:?}: {warnings:?}");
            assert!(warnings.iter().zip(expected).all(is_of), "{found:?}: {warnings:?}");
        }
    }
}
