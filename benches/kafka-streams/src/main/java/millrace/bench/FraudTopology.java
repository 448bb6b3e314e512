package millrace.bench;

import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The alerts of {@code pipelines/fraud-scoring.toml}, as a user of Kafka Streams would write them. The pipeline also
 * checks amounts and reports customers at high risk, which is left out here.
 */
final class FraudTopology {
    private static final int MOST_PAYMENTS = 10;
    private static final String HISTORY = "history";

    /** An alert; {@code windowStart} is 0 for an unusual amount. */
    public static class Alert {
        public String customerId;
        public String type;
        public String severity;
        public double value;
        public long windowStart;
    }

    /** The payments of a customer in a window. */
    public static class Recent {
        public long count;
        public double sum;
        public Set<String> locations = new TreeSet<>();

        Recent add(Payment payment) {
            count++;
            sum += payment.amount;
            locations.add(payment.location);
            return this;
        }
    }

    static Topology build() {
        StreamsBuilder builder = new StreamsBuilder();
        Serde<Payment> payment = JsonSerde.of(Payment.class);
        var alerts = Produced.with(Serdes.String(), JsonSerde.of(Alert.class));
        KStream<String, Payment> payments = builder.stream(Fraud.PAYMENTS, Consumed.with(Serdes.String(), payment));
        builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(HISTORY), Serdes.String(),
            JsonSerde.of(UnusualAmounts.History.class)));
        // Without a cache: with one, the window's update that crosses the line may be lost in a later one.
        payments
            .groupByKey(Grouped.with(Serdes.String(), payment))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(5)))
            .aggregate(Recent::new, (customer, one, recent) -> recent.add(one),
                Materialized.<String, Recent, WindowStore<Bytes, byte[]>>as("recent")
                    .withKeySerde(Serdes.String()).withValueSerde(JsonSerde.of(Recent.class)).withCachingDisabled())
            .toStream()
            .filter((window, recent) -> recent.count == MOST_PAYMENTS + 1)
            .map((window, recent) -> KeyValue.pair(window.key(), rapid(window, recent)))
            .to(Fraud.ALERTS, alerts);
        payments.process(() -> new UnusualAmounts(HISTORY), HISTORY).to(Fraud.ALERTS, alerts);
        return builder.build();
    }

    private static Alert rapid(Windowed<String> window, Recent recent) {
        Alert alert = new Alert();
        alert.customerId = window.key();
        alert.type = "RAPID_PAYMENTS";
        alert.severity = "HIGH";
        alert.value = recent.count;
        alert.windowStart = window.window().start();
        return alert;
    }

    private FraudTopology() {}
}
