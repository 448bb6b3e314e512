//! The pipelines that can be measured. The tools on the JVM know their topics, load and results by the same names.

/// A pipeline with its goals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pipeline {
    /// Its name on the command line and for the tools.
    pub(crate) name: &'static str,
    /// The pipeline file, in the checkout in which the benchmark runs. A path from when it was compiled would be that
    /// of whichever checkout compiled it last.
    pub(crate) file: &'static str,
    /// Its app, which is Millrace's consumer group.
    pub(crate) app: &'static str,
    /// The name of its input records, which come at a rate while latency is measured.
    pub(crate) unit: &'static str,
    /// How long the tail of its latency may be.
    pub(crate) latency: LatencyGoal,
    /// How the two systems are compared; nothing where Kafka Streams has no such pipeline.
    pub(crate) compared: Option<Compared>,
}

/// How a pipeline is compared with Kafka Streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compared {
    /// Consumer group of Kafka Streams.
    pub(crate) group: &'static str,
    /// The name of its results.
    pub(crate) results: &'static str,
    /// Input records for each result, where every result has as many.
    pub(crate) records_for_result: Option<u64>,
    /// Records a second should be at least this many times as many.
    pub(crate) speed: Option<f64>,
    /// Peak memory should be at most this many times as much.
    pub(crate) memory: f64,
}

/// What the 99th percentile should be at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LatencyGoal {
    /// Milliseconds.
    Millis(f64),
    /// This many times that of Kafka Streams for the orders, in the same run.
    OfOrders(f64),
}

/// The app that the analytics are files of.
const ANALYTICS: &str = "bss-analytics-streams";
/// A quarter of what Kafka Streams takes for the orders: 100 ms where that is 400.
const QUARTER: LatencyGoal = LatencyGoal::OfOrders(0.25);

/// A join, and its results read back into a table.
pub(crate) const ORDERS: Pipeline = Pipeline {
    name: "orders",
    file: "pipelines/orders.toml",
    app: "orders",
    unit: "orders",
    latency: LatencyGoal::Millis(50.0),
    compared: Some(Compared {
        group: "kafka-streams-orders",
        results: "orders",
        records_for_result: Some(2),
        speed: Some(2.0),
        memory: 0.25,
    }),
};

/// All of them, in the order in which they are measured.
pub(crate) const ALL: [Pipeline; 5] = [
    ORDERS,
    Pipeline {
        name: "fraud",
        file: "pipelines/fraud-scoring.toml",
        app: ANALYTICS,
        unit: "payments",
        latency: QUARTER,
        compared: Some(Compared {
            group: "kafka-streams-fraud",
            results: "alerts",
            records_for_result: None,
            speed: None,
            memory: 0.35,
        }),
    },
    Pipeline {
        name: "recommendations",
        file: "pipelines/recommendations.toml",
        app: ANALYTICS,
        unit: "views",
        latency: QUARTER,
        compared: None,
    },
    Pipeline {
        name: "pricing",
        file: "pipelines/dynamic-pricing.toml",
        app: ANALYTICS,
        unit: "orders",
        latency: QUARTER,
        compared: None,
    },
    Pipeline {
        name: "activity",
        file: "pipelines/customer-activity.toml",
        app: ANALYTICS,
        unit: "events",
        latency: QUARTER,
        compared: None,
    },
];

/// Names that the command line takes: those of the pipelines, and one for all of them.
pub(crate) const NAMES: [&str; 6] = ["orders", "fraud", "recommendations", "pricing", "activity", "all"];

/// The pipelines of these names, in the order in which they are measured.
pub(crate) fn named(names: &[String]) -> impl Iterator<Item = Pipeline> {
    let wanted = |pipeline: &Pipeline| names.iter().any(|name| name == pipeline.name || name == "all");
    ALL.into_iter().filter(wanted)
}

#[cfg(test)]
mod tests {
    use super::{ALL, NAMES, named};

    #[test]
    fn every_name_stands_for_its_pipeline_or_for_all() {
        for name in NAMES {
            let found: Vec<&str> = named(&[name.to_owned()]).map(|pipeline| pipeline.name).collect();
            let expected = if name == "all" { ALL.map(|pipeline| pipeline.name).to_vec() } else { vec![name] };
            assert_eq!(found, expected);
        }
    }
}
