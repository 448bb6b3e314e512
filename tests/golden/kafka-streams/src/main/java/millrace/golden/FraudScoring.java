package millrace.golden;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/**
 * Alerts for payments that are too many or too large, and customers at high risk. Of two alerts for one payment, that for
 * too many payments comes first here; the rules leave it open.
 */
final class FraudScoring {
    private static final Serde<Recent> RECENT = Json.serde(new TypeReference<>() {});
    private static final Serde<History> HISTORY = Json.serde(new TypeReference<>() {});

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        KGroupedStream<String, ObjectNode> byCustomer = Events
            .valid(builder, "bss.payment.events", (key, payment) -> key != null && Json.isPositive(payment, "amount"))
            .groupByKey(Grouped.with(Events.TEXT, Json.OBJECTS));
        KStream<Windowed<String>, Recent> recent = byCustomer
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(5)))
            .aggregate(Recent::none, Recent::with, Materialized.with(Events.TEXT, RECENT))
            .toStream();
        recent
            .filter((window, payments) -> payments.count == Recent.MANY + 1)
            .map((window, payments) -> KeyValue.pair(window.key(), payments.alert(window)))
            .to("bss.fraud.alerts", Events.OUT);
        recent
            .filter((window, payments) -> payments.scoreBefore <= Recent.HIGH && payments.score() > Recent.HIGH)
            .map((window, payments) -> KeyValue.pair(window.key(), payments.highRisk(window)))
            .to("bss.fraud.high-risk", Events.OUT);
        byCustomer
            .aggregate(History::none, History::with, Materialized.with(Events.TEXT, HISTORY))
            .toStream()
            .filter((customer, history) -> history.isUnusual())
            .map((customer, history) -> KeyValue.pair(customer, history.alert(customer)))
            .to("bss.fraud.alerts", Events.OUT);
        return builder.build();
    }

    /** The form of an id is free; it says of what it is a function. */
    private static ObjectNode alert(String customer, String type, String severity, JsonNode payment) {
        ObjectNode alert = Json.MAPPER.createObjectNode()
            .put("alertId", type + "/" + customer + "/" + payment)
            .put("customerId", customer)
            .put("type", type)
            .put("severity", severity);
        return alert.set("paymentId", payment);
    }

    /** Payments of a customer in five minutes, the score before the last one, and the last one's id. */
    record Recent(long count, double total, Set<String> locations, int scoreBefore, JsonNode last) {
        static final long MANY = 10;
        static final int HIGH = 75;

        static Recent none() {
            return new Recent(0, 0, Set.of(), 0, null);
        }

        static Recent with(String customer, ObjectNode payment, Recent before) {
            Set<String> locations = new TreeSet<>(before.locations);
            String location = Json.text(payment, "location");
            if (location != null) locations.add(location);
            double total = before.total + payment.get("amount").doubleValue();
            return new Recent(before.count + 1, total, locations, before.score(), payment.get("paymentId"));
        }

        int score() {
            return (count > MANY ? 30 : 0) + (total > 10000 ? 40 : 0) + (locations.size() > 3 ? 30 : 0);
        }

        ObjectNode alert(Windowed<String> window) {
            return FraudScoring.alert(window.key(), "RAPID_PAYMENTS", "HIGH", last)
                .put("value", count)
                .put("threshold", MANY)
                .put("windowStart", window.window().start())
                .put("windowEnd", window.window().end());
        }

        ObjectNode highRisk(Windowed<String> window) {
            return Json.MAPPER.createObjectNode()
                .put("customerId", window.key())
                .put("score", score())
                .put("payments", count)
                .put("total", total)
                .put("locations", locations.size())
                .put("windowStart", window.window().start())
                .put("windowEnd", window.window().end());
        }
    }

    /** All payments of a customer before the last one, and the last one. */
    record History(long earlier, double earlierTotal, double last, JsonNode lastId) {
        static History none() {
            return new History(-1, 0, 0, null);
        }

        static History with(String customer, ObjectNode payment, History before) {
            double amount = payment.get("amount").doubleValue();
            return new History(before.earlier + 1, before.earlierTotal + before.last, amount,
                payment.get("paymentId"));
        }

        @JsonIgnore
        boolean isUnusual() {
            return earlier >= 1 && last > threshold();
        }

        private double threshold() {
            return 5 * (earlierTotal / earlier);
        }

        ObjectNode alert(String customer) {
            return FraudScoring.alert(customer, "UNUSUAL_AMOUNT", "MEDIUM", lastId)
                .put("value", last)
                .put("threshold", threshold());
        }
    }

    private FraudScoring() {}
}
