//! Offsets, state and topics that don't belong together: the messages about each, with the ways out. The app doesn't
//! choose one: to go on at the wrong offset would lose records or process them twice, without any sign.

use crate::client::app::App;
use crate::client::native;
use crate::cluster::metadata::Origin;

/// An input partition of an app.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InputPartition<'a> {
    pub(crate) app: App<'a>,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
}

/// Whether an offset that is committed is one of the topic that is there, and of the app's state.
///
/// # Errors
/// It isn't, with the message.
pub(crate) fn check_origin(
    place: InputPartition<'_>,
    offset: i64,
    before: Option<&Origin>,
    now: &Origin,
) -> Result<(), String> {
    // An offset that a person has set is meant for the topic and state that are there.
    let Some(before) = before else { return Ok(()) };
    let InputPartition { app, topic, partition } = place;
    if native::differ(&before.topic, &now.topic) {
        return Err(made_anew(place, &format!("the committed offset {offset} is one of the topic that was deleted")));
    }
    if native::differ(&before.life, &now.life) {
        let ways = ways_out(place);
        return Err(format!(
            "topic `{topic}`, partition {partition}: offset {offset} is committed, and the state that belongs to it is \
             gone: the internal topics of `{}` were deleted after that commit, and made anew. {ways}",
            app.name
        ));
    }
    Ok(())
}

/// The message about an input partition that has no offset any more; `before` is the id of the topic that it was of.
pub(crate) fn without_offset(place: InputPartition<'_>, before: &str, now: &Origin) -> String {
    if native::differ(before, &now.topic) {
        return made_anew_while_read(place);
    }
    let InputPartition { app, topic, partition } = place;
    let ways = ways_out(place);
    format!(
        "topic `{topic}`, partition {partition}: the group `{}` has no committed offset, and it had one: it was \
         deleted, or it expired because no process of the app ran for longer than the broker's \
         `offsets.retention.minutes`. To start at the first record would process again what is in the state and in the \
         results. {ways}",
        app.name
    )
}

/// The message about a topic that has another id than when the task began to read it.
pub(crate) fn made_anew_while_read(place: InputPartition<'_>) -> String {
    made_anew(place, "what the app has committed and kept is of the topic that was deleted")
}

/// The message about a task that has state in `store` although none of its inputs ever had an offset.
pub(crate) fn state_without_offset(place: InputPartition<'_>, store: &str) -> String {
    let InputPartition { app, topic, partition } = place;
    let ways = ways_out(place);
    format!(
        "topic `{topic}`, partition {partition}: the group `{}` has no committed offset, and there is state in the \
         store `{store}` that comes from somewhere. To start at the first record might process again what is in it. \
         {ways}",
        app.name
    )
}

/// The message about an internal topic that has been deleted.
pub(crate) fn deleted(app: App<'_>, topic: &str) -> String {
    format!(
        "the internal topic `{topic}` has been deleted: what was in it is lost, and the offsets that the group `{}` \
         has committed are behind it. Start anew with {}; to go on from the group's offsets with empty state, note \
         them before the reset ({} shows them), and set them after it with `--topic TOPIC --partition N --to-offset \
         OFFSET` behind the same command",
        app.name,
        app.reset(),
        app.offsets()
    )
}

/// The message about an internal topic that has been deleted and made anew.
pub(crate) fn internal_made_anew(app: App<'_>, topic: &str) -> String {
    format!("{} (a topic of that name was made since)", deleted(app, topic))
}

/// The message about a changelog that has lost records at its end, where the state has all up to `position`.
pub(crate) fn changelog_ends_early(app: App<'_>, (topic, partition): (&str, u32), end: i64, position: i64) -> String {
    let (name, reset) = (app.name, app.reset());
    format!(
        "changelog `{topic}`, partition {partition}: it ends at offset {end}, and the local state has all up to offset \
         {position}: committed records are lost, as by an unclean leader election or a broker's disk, and the offsets \
         that the group `{name}` has committed are behind them. Either start anew with {reset}; or, to go on without \
         what is lost, delete the data folder of this process, and its state is restored from what is left"
    )
}

/// The message about a changelog that has lost its first records, where the state doesn't have them.
pub(crate) fn changelog_begins_late(app: App<'_>, (topic, partition): (&str, u32), first: i64) -> String {
    let reset = app.reset();
    format!(
        "changelog `{topic}`, partition {partition}: its first record is at offset {first}, and the state of this \
         process needs all from offset 0 on: the records before were deleted, by hand or while the topic had another \
         `cleanup.policy`. Either start anew with {reset}; or start on a data folder whose state reaches beyond that \
         offset, if there is one"
    )
}

fn made_anew(place: InputPartition<'_>, what: &str) -> String {
    let InputPartition { topic, partition, .. } = place;
    let ways = ways_out(place);
    format!("topic `{topic}`, partition {partition}: the topic was deleted and made anew, and {what}. {ways}")
}

/// The ways out of an offset that doesn't fit.
pub(crate) fn ways_out(place: InputPartition<'_>) -> String {
    let InputPartition { app, topic, partition } = place;
    let App { name, bootstrap } = app;
    format!(
        "Either start anew with {}; or say where to go on, while no process of the app runs: `millrace offsets {name} \
         --kafka {bootstrap} --topic {topic} --partition {partition}` shows the offset, and sets it with \
         `--to-earliest`, `--to-latest`, `--to-offset N` or `--to-datetime TIME` behind it (without `--partition`: \
         those of all partitions)",
        app.reset()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: App<'static> = App { name: "sums", bootstrap: "one:9092,two:9092" };
    const PLACE: InputPartition<'static> = InputPartition { app: APP, topic: "in", partition: 3 };

    fn origin(topic: &str, life: &str) -> Origin {
        Origin { topic: topic.into(), life: life.into() }
    }

    #[test]
    fn an_offset_of_this_topic_and_one_that_a_person_has_set_are_good() {
        let now = origin("t", "l");
        assert_eq!(check_origin(PLACE, 7, Some(&now), &now), Ok(()));
        assert_eq!(check_origin(PLACE, 7, None, &now), Ok(()));
    }

    #[test]
    fn an_offset_of_another_topic_or_another_life_is_refused_with_the_ways_out() {
        let now = origin("t", "l");
        for (before, what) in [
            (origin("other", "l"), "partition 3: the topic was deleted and made anew"),
            (origin("other", "other"), "partition 3: the topic was deleted and made anew"),
            (origin("t", "other"), "the internal topics of `sums` were deleted after that commit"),
        ] {
            let said = check_origin(PLACE, 7, Some(&before), &now).err().unwrap_or_default();
            assert!(said.starts_with("topic `in`, ") && said.contains(what), "{said}");
            assert!(said.contains("`millrace reset sums --kafka one:9092,two:9092`"), "{said}");
            let set = "`millrace offsets sums --kafka one:9092,two:9092 --topic in --partition 3` shows the offset";
            assert!(said.contains(set), "{said}");
        }
    }

    #[test]
    fn an_offset_from_before_the_cluster_had_ids_is_good_where_it_has_them() {
        let zero = "A".repeat(22);
        for before in [origin(&zero, &zero), origin("t", &zero), origin(&zero, "l")] {
            assert_eq!(check_origin(PLACE, 7, Some(&before), &origin("t", "l")), Ok(()));
        }
        assert!(without_offset(PLACE, &zero, &origin("t", "l")).contains("has no committed offset, and it had one"));
    }

    #[test]
    fn an_offset_that_is_gone_and_a_topic_that_is_gone_are_told_apart() {
        let now = origin("t", "l");
        assert!(without_offset(PLACE, "t", &now).contains("has no committed offset, and it had one"));
        assert!(without_offset(PLACE, "other", &now).contains("was deleted and made anew"));
    }

    #[test]
    fn an_internal_topic_that_is_gone_names_the_command_that_shows_the_offsets_before_a_reset() {
        let said = deleted(APP, "sums-control");
        assert!(said.contains("`millrace reset sums --kafka one:9092,two:9092`"), "{said}");
        assert!(said.contains("(`millrace offsets sums --kafka one:9092,two:9092` shows them)"), "{said}");
    }
}
