//! Reading the dead letters that a command asks for.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::ops::ControlFlow;

use anyhow::Result;
use millrace_embedded::run::wall_clock;
use millrace_engine::manifest::KeyCodec;
use millrace_engine::record::InputRecord;
use millrace_kafka::topics::ClusterTopics;
use millrace_letters::{Group, Letter, LetterId};
use millrace_topics::{Selection, Topics};

use crate::args::{At, Letters, Place};
use crate::commands::topic::connect;
use crate::data;
use crate::lines;
use crate::say::say;

/// A reader of topics whose errors are those of commands.
pub(super) trait Reader {
    /// Reads records: see [`Topics::read`].
    fn read(
        &mut self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(u32, InputRecord) -> ControlFlow<()>,
    ) -> Result<()>;

    /// The codecs of keys by topic, where they are recorded.
    fn codecs(&mut self) -> Result<BTreeMap<String, KeyCodec>>;
}

struct Of<T>(T);

impl<E: StdError + Send + Sync + 'static, T: Topics<Error = E>> Reader for Of<T> {
    fn read(
        &mut self,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(u32, InputRecord) -> ControlFlow<()>,
    ) -> Result<()> {
        let uncommitted = self.0.read(selection, visit)?;
        if uncommitted > 0 {
            say(format_args!(
                "{uncommitted} more offsets of `{}` aren't committed yet: they belong to an open transaction, or come after one",
                selection.topic
            ));
        }
        Ok(())
    }

    fn codecs(&mut self) -> Result<BTreeMap<String, KeyCodec>> {
        let codecs = self.0.key_codecs()?.unwrap_or_default();
        Ok(codecs.into_iter().filter_map(|(topic, codec)| Some((topic, codec?))).collect())
    }
}

/// Opens a data folder or connects to a cluster.
pub(super) fn with<R>(place: &Place, act: impl FnOnce(&mut dyn Reader) -> Result<R>) -> Result<R> {
    match place.at()? {
        At::Folder(folder) => act(&mut Of(data::topics_to_read(&data::folder(folder)?)?)),
        At::Kafka(bootstrap, set) => act(&mut Of(ClusterTopics::new(&mut connect(bootstrap, &set)?))),
    }
}

/// Passes the letters that a command asks for to `visit`, each with the codec of its key.
pub(super) fn each(
    letters: &Letters,
    visit: &mut dyn FnMut(Letter, Option<KeyCodec>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let wanted = Wanted::of(letters);
    with(&letters.place, |reader| {
        let codecs = reader.codecs()?;
        for topic in &letters.topics {
            let (mut result, mut ended) = (Ok(()), false);
            let selection = Selection { topic, partition: None, from: 0, limit: u64::MAX };
            reader.read(&selection, &mut |partition, record| {
                let id = LetterId { topic: topic.clone(), partition, offset: record.offset };
                let letter = Letter::read(id, record);
                if !wanted.has(&letter) {
                    return ControlFlow::Continue(());
                }
                let codec = codec_of(&letter, letters.key_codec.map(KeyCodec::from), &codecs);
                let flow = visit(letter, codec).unwrap_or_else(|error| {
                    result = Err(error);
                    ControlFlow::Break(())
                });
                ended |= flow.is_break();
                flow
            })?;
            result?;
            if ended {
                break;
            }
        }
        Ok(())
    })
}

/// The codec of a letter's key: that of its record's source.
pub(super) fn codec_of(
    letter: &Letter,
    said: Option<KeyCodec>,
    codecs: &BTreeMap<String, KeyCodec>,
) -> Option<KeyCodec> {
    said.or_else(|| codecs.get(&letter.source.as_ref()?.topic).copied())
}

/// The letters that a command asks for.
struct Wanted<'l> {
    letters: &'l Letters,
    /// The key as text and as a number.
    keys: Vec<Vec<u8>>,
    since: i64,
    until: i64,
}

impl<'l> Wanted<'l> {
    fn of(letters: &'l Letters) -> Self {
        let now = wall_clock();
        let number = letters.key.as_ref().and_then(|key| key.parse::<i64>().ok());
        let keys = letters.key.iter().map(|key| key.clone().into_bytes());
        Self {
            letters,
            keys: keys.chain(number.map(|number| number.to_be_bytes().to_vec())).collect(),
            since: letters.since.map_or(i64::MIN, |moment| moment.at(now)),
            until: letters.until.map_or(i64::MAX, |moment| moment.at(now)),
        }
    }

    fn has(&self, letter: &Letter) -> bool {
        let Letters { group, step, code, key, digest, .. } = self.letters;
        (self.since..self.until).contains(&letter.failed_at)
            && step.as_ref().is_none_or(|step| *step == letter.step)
            && code.as_ref().is_none_or(|code| *code == letter.code)
            && digest.as_ref().is_none_or(|digest| letter.digest.starts_with(digest))
            && (key.is_none() || letter.key.as_ref().is_some_and(|key| self.keys.iter().any(|wanted| wanted == key)))
            && group.as_ref().is_none_or(|group| *group == Group::id_of(letter))
    }
}

/// A key for people: by its codec, otherwise as text where it is some.
pub(super) fn shown_key(key: Option<&[u8]>, codec: Option<KeyCodec>) -> String {
    let Some(key) = key else { return "null".into() };
    match (codec, std::str::from_utf8(key)) {
        (Some(KeyCodec::I64), _) if key.len() == 8 => lines::key_text(key, codec),
        (_, Ok("")) => "\"\"".into(),
        (_, Ok(text)) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => lines::key_text(key, Some(KeyCodec::Bytes)),
    }
}

/// A text for people: control characters, which a terminal would obey, are spaces.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}
