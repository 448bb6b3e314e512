use proptest::prelude::*;

use super::*;

fn canary(weights: &[u32]) -> Option<Trial> {
    Some(Trial::Canary(CanaryPlan::new(weights.to_vec(), 600_000, 1_000).unwrap()))
}

fn shadow() -> Option<Trial> {
    Some(Trial::Shadow(ShadowPlan { share: 10_000, budget: 500, ignore: Vec::new() }))
}

/// Stages a version, and begins its trial.
fn begin(app: &mut AppDeployments, version: &Candidate, trial: Option<Trial>) -> Result<u32, DeploymentRefused> {
    let staged = app.apply(&Act::Stage { candidates: vec![version.clone()], trial }, &author())?;
    app.apply(&Act::Activate(staged.clone()), &author())?;
    Ok(*staged.values().next().unwrap())
}

fn advance(app: &mut AppDeployments, generation: u32, step: Option<usize>) -> Result<(), DeploymentRefused> {
    let act = Act::Advance { plugin: "p".into(), generation, step, fully: false, judged: true };
    app.apply(&act, &Author { note: "good".into(), at: 77, ..author() }).map(drop)
}

/// Status of each deployment, generation that tasks must know, and the weight of the canary.
fn state(app: &AppDeployments) -> (Vec<&'static str>, u32, Option<u32>) {
    let record = app.plugins.get("p").unwrap();
    let weight = record.on_trial().and_then(|trial| Some(trial.trial.as_ref()?.canary()?.weight()));
    (record.deployments.iter().map(|it| it.status.name()).collect(), record.reached(), weight)
}

fn one() -> Candidate {
    version("one", "", &[1], &[1])
}

fn two() -> Candidate {
    version("two", "", &[1], &[1])
}

#[test]
fn a_canary_goes_from_step_to_step_and_each_step_is_a_change_that_tasks_must_know() {
    let mut app = deployed(&[one()]);
    let generation = begin(&mut app, &two(), canary(&[500, 2_500, 10_000])).unwrap();
    assert_eq!(state(&app), (vec!["active", "canary"], 2, Some(500)));
    advance(&mut app, generation, Some(0)).unwrap();
    assert_eq!(state(&app), (vec!["active", "canary"], 3, Some(2_500)));
    // Whether the first attempt was committed isn't always known.
    advance(&mut app, generation, Some(0)).unwrap();
    assert_eq!(state(&app), (vec!["active", "canary"], 3, Some(2_500)));
    advance(&mut app, generation, Some(1)).unwrap();
    assert_eq!(state(&app), (vec!["superseded", "active"], 4, None));
    advance(&mut app, generation, Some(1)).unwrap();
    assert_eq!(state(&app).1, 4);
    assert_eq!(app.active("p").unwrap().verdict, "good");
    assert_eq!(deploy(&mut app, &version("three", "", &[1], &[1])), Ok(5), "numbers of changes aren't used twice");
    // The last step needn't be 100%.
    let generation = begin(&mut app, &two(), canary(&[500])).unwrap();
    advance(&mut app, generation, Some(0)).unwrap();
    assert_eq!(app.active("p").unwrap().generation, generation);
}

#[test]
fn an_aborted_canary_gives_its_keys_back_and_never_becomes_active() {
    let mut app = deployed(&[one()]);
    let generation = begin(&mut app, &two(), canary(&[500, 10_000])).unwrap();
    let abort = Act::Abort(BTreeMap::from([("p".to_owned(), generation)]));
    app.apply(&abort, &Author { note: "it fails".into(), ..author() }).unwrap();
    assert_eq!(state(&app), (vec!["active", "aborted"], 3, None));
    app.apply(&abort, &author()).unwrap();
    assert_eq!(state(&app).1, 3, "it is done once");
    assert_eq!(app.plugins.get("p").unwrap().deployments.last().unwrap().verdict, "it fails");
    let late = advance(&mut app, generation, Some(0)).unwrap_err();
    assert_eq!(late.to_string(), "plugin `p`: generation 2 isn't on trial");
    app.apply(&Act::Activate(BTreeMap::from([("p".to_owned(), generation)])), &author()).unwrap_err();
}

#[test]
fn a_deployment_that_comes_during_a_canary_ends_it_and_bakes_for_its_own_time() {
    let mut app = deployed(&[one()]);
    let first = begin(&mut app, &two(), canary(&[500, 2_500, 10_000])).unwrap();
    advance(&mut app, first, Some(0)).unwrap();
    let second = begin(&mut app, &version("three", "", &[1], &[1]), canary(&[500, 10_000])).unwrap();
    assert_eq!(state(&app), (vec!["active", "aborted", "canary"], second, Some(500)));
    assert!(second > first + 1);
    let plan = app.on_trial("p").unwrap().trial.clone().unwrap();
    assert_eq!((plan.canary().unwrap().step, plan.canary().unwrap().since), (0, 5));
    advance(&mut app, first, Some(1)).unwrap_err();
    assert_eq!(app.active("p").unwrap().generation, 1);
    let ended = app.plugins.get("p").unwrap().deployments.get(1).unwrap();
    assert_eq!(ended.verdict, format!("generation {second} was deployed"));
}

#[test]
fn a_staged_deployment_alone_ends_the_canary_before_it() {
    let mut app = deployed(&[one()]);
    begin(&mut app, &two(), canary(&[500, 10_000])).unwrap();
    let staged = Act::Stage { candidates: vec![version("three", "", &[1], &[1])], trial: None };
    let staged = app.apply(&staged, &author()).unwrap();
    assert_eq!(state(&app), (vec!["active", "aborted", "staged"], 3, None));
    app.apply(&Act::Activate(staged), &author()).unwrap();
    assert_eq!(state(&app), (vec!["superseded", "aborted", "active"], 4, None), "another change for tasks");
}

#[test]
fn a_paused_canary_begins_its_step_anew_when_it_goes_on() {
    let mut app = deployed(&[one()]);
    let generation = begin(&mut app, &two(), canary(&[500, 10_000])).unwrap();
    for (paused, at) in [(true, 50), (true, 60), (false, 70)] {
        let act = Act::Pause { plugin: "p".into(), generation, paused };
        app.apply(&act, &Author { at, ..author() }).unwrap();
    }
    let plan = app.on_trial("p").unwrap().trial.clone().unwrap();
    assert_eq!((plan.canary().unwrap().paused, plan.canary().unwrap().since), (false, 70));
    let generation = begin(&mut app, &two(), shadow()).unwrap();
    let act = Act::Pause { plugin: "p".into(), generation, paused: true };
    let refused = app.apply(&act, &author()).unwrap_err().to_string();
    assert_eq!(refused, format!("plugin `p`: generation {generation} is a shadow, which has no steps"));
}

#[test]
fn a_shadow_becomes_active_when_it_is_promoted() {
    let mut app = deployed(&[one()]);
    let generation = begin(&mut app, &two(), shadow()).unwrap();
    assert_eq!(state(&app), (vec!["active", "shadow"], 2, None));
    advance(&mut app, generation, None).unwrap();
    assert_eq!(state(&app).0, ["superseded", "active"]);
}

#[test]
fn a_canary_needs_the_same_state_versions_as_the_active_version() {
    let mut app = deployed(&[one()]);
    let both = version("both", "", &[1, 2], &[1, 2]);
    assert_eq!(begin(&mut app, &both, canary(&[500])), Ok(2), "it writes version 1, too");
    let newer = version("newer", "", &[1, 2], &[2]);
    let refused = begin(&mut app, &newer, canary(&[500])).unwrap_err().to_string();
    assert_eq!(
        refused,
        "plugin `p`: a canary needs the same state versions as the active version, and function `sum` writes version 2 to \
         its store `state`, where the active one writes 1: use a shadow, `--shadow`"
    );
    assert_eq!(app.on_trial("p").unwrap().component, "both", "a refused one changes nothing");
    begin(&mut app, &newer, shadow()).unwrap();
}

#[test]
fn state_is_not_finalised_while_a_version_is_on_trial() {
    let both = version("both", "", &[1, 2], &[1, 2]);
    let mut app = deployed(&[one(), both]);
    begin(&mut app, &two(), shadow()).unwrap();
    let refused = finalize(&mut app).unwrap_err().to_string();
    assert_eq!(refused, "plugin `p`: generation 3 is on trial: promote or abort it first");
}

#[test]
fn a_process_that_starts_with_the_version_on_trial_joins_the_active_one() {
    let mut app = deployed(&[one()]);
    begin(&mut app, &two(), canary(&[500])).unwrap();
    let before = app.clone();
    app.start(&two(), DeployOnStart::New, &author()).unwrap();
    assert_eq!(app, before);
    app.start(&version("three", "", &[1], &[1]), DeployOnStart::New, &author()).unwrap();
    assert_eq!(state(&app).0, ["superseded", "aborted", "active"]);
}

#[test]
fn records_without_trials_are_read_as_before() {
    let app = deployed(&[one(), two()]);
    let record = app.plugins.get("p").unwrap();
    let mut text = serde_json::to_value(record).unwrap();
    text.as_object_mut().unwrap().remove("reached").unwrap();
    let read: PluginRecord = serde_json::from_value(text).unwrap();
    assert_eq!((read.reached(), read.on_trial()), (2, None));
}

#[test]
fn steps_of_a_canary_grow_and_begin_below_all() {
    for weights in [&[][..], &[0], &[10_000], &[500, 500], &[2_500, 500], &[500, 10_001]] {
        CanaryPlan::new(weights.to_vec(), 1, 1).unwrap_err();
    }
}

/// The versions that process records, and how.
fn running(app: &AppDeployments) -> String {
    let record = app.plugins.get("p").unwrap();
    let active = record.active().map(|active| (active.generation, active.flood));
    let trial = record.on_trial().map(|trial| (trial.generation, trial.status, trial.trial.as_ref().map(step_of)));
    format!("{active:?} {trial:?}")
}

fn step_of(trial: &Trial) -> Option<usize> {
    Some(trial.canary()?.step)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_change_of_the_versions_that_process_records_has_a_higher_number(
        acts in prop::collection::vec((0..11_usize, 0..4_usize), 1..30),
    ) {
        let versions: Vec<_> = (0..4).map(|number| version(&format!("c{number}"), "", &[1], &[1])).collect();
        let mut app = deployed(&[version("first", "", &[1], &[1])]);
        for (kind, number) in acts {
            let (before, reached) = (running(&app), app.plugins.get("p").unwrap().reached());
            let plugin = || "p".to_owned();
            let active = app.active("p").unwrap().generation;
            let trial = app.on_trial("p").map(|trial| (trial.generation, step_of(trial.trial.as_ref().unwrap())));
            let (generation, step) = trial.unwrap_or((active, None));
            let stage = |trial| Act::Stage { candidates: vec![versions.get(number).unwrap().clone()], trial };
            let act = match kind {
                0 => stage(None),
                1 => stage(canary(&[500, 2_500, 10_000])),
                2 => stage(shadow()),
                3 | 4 => Act::Activate(app.staged()),
                5 => Act::Abort(app.on_trial_of_all()),
                6 => Act::Advance { plugin: plugin(), generation, step, fully: number == 0, judged: true },
                7 => Act::Pause { plugin: plugin(), generation, paused: number == 0 },
                8 => Act::Rollback { plugin: plugin(), replaces: active, to: None },
                9 => Act::Hold { plugin: plugin(), generation: active },
                _ => Act::Accept { plugin: plugin(), generation: active },
            };
            // One that is refused changes nothing.
            let refused = app.apply(&act, &author()).is_err();
            let now = app.plugins.get("p").unwrap().reached();
            prop_assert!(now >= reached);
            prop_assert!(running(&app) == before || (now > reached && !refused), "{act:?}: {before} {}", running(&app));
            let one = app.plugins.get("p").unwrap().deployments.iter().filter(|it| it.status == Status::Active).count();
            prop_assert_eq!(one, 1);
        }
    }
}
