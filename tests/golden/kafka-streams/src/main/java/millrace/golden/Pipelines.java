package millrace.golden;

import java.util.List;
import org.apache.kafka.streams.Topology;

/** The pipelines of the analytics, as topologies of Kafka Streams. */
final class Pipelines {
    static final List<String> NAMES =
        List.of("customer-activity", "order-enrichment", "fraud-scoring", "recommendations", "dynamic-pricing");

    static Topology topology(String name) {
        return switch (name) {
            case "customer-activity" -> CustomerActivity.topology();
            case "order-enrichment" -> OrderEnrichment.topology();
            case "fraud-scoring" -> FraudScoring.topology();
            case "recommendations" -> Recommendations.topology();
            case "dynamic-pricing" -> DynamicPricing.topology();
            default -> throw new IllegalArgumentException("there is no pipeline " + name);
        };
    }

    private Pipelines() {}
}
