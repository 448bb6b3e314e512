package millrace.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.streams.Topology;

/** {@code pipelines/fraud-scoring.toml}. */
final class Fraud implements Compared {
    static final String PAYMENTS = "bss.payment.events";
    static final String ALERTS = "bss.fraud.alerts";

    @Override
    public List<String> input() {
        return List.of(PAYMENTS);
    }

    @Override
    public List<String> results() {
        return List.of(ALERTS);
    }

    @Override
    public List<String> others() {
        return List.of("bss.fraud.high-risk");
    }

    @Override
    public Topology topology() {
        return FraudTopology.build();
    }

    /** A payment every millisecond; one in 50 has a large amount. */
    @Override
    public void backlog(int records, long seed, Consumer<ProducerRecord<byte[], byte[]>> to) {
        Events events = new Events(seed);
        for (int number = 0; number < records; number++) {
            String customer = "c" + events.customer();
            double amount = events.below(50) == 0 ? 500 + events.below(5000) : 1 + events.below(200);
            to.accept(events.payment(number, customer, amount, START + number));
        }
    }

    /** A customer has one alert for a window with too many payments, and one for each unusual payment. */
    @Override
    public String subject(ConsumerRecord<byte[], byte[]> result) throws IOException {
        Map<String, Object> alert = Fields.of(result);
        boolean rapid = alert.get("type").toString().contains("RAPID_PAYMENTS");
        String of = rapid ? "window " + alert.get("windowStart") : "payment at " + result.timestamp();
        return new String(result.key(), StandardCharsets.UTF_8) + ", " + alert.get("type") + " of the " + of;
    }

    /** Without ids, thresholds and the payment, which Kafka Streams' alerts don't have. */
    @Override
    public String meaning(ConsumerRecord<byte[], byte[]> result) throws IOException {
        Map<String, Object> alert = Fields.of(result);
        return subject(result) + " at " + result.timestamp() + ": " + alert.get("customerId") + " "
            + alert.get("severity") + " " + alert.get("value");
    }

    @Override
    public Feed feed(int rate, int total) {
        return new FraudFeed(rate, total);
    }
}
