package millrace.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.streams.Topology;

/** {@code pipelines/orders.toml}. */
final class Orders implements Compared {
    static final String PAYMENTS = "payment-orders";
    static final String STOCK = "stock-orders";
    static final String ORDERS = "orders";
    private static final int LATEST_MS = 2000;

    @Override
    public List<String> input() {
        return List.of(PAYMENTS, STOCK);
    }

    @Override
    public List<String> results() {
        return List.of(ORDERS);
    }

    @Override
    public List<String> others() {
        return List.of("recovererDLQ");
    }

    /** Its table has the results. */
    @Override
    public List<String> readBack() {
        return List.of(ORDERS);
    }

    @Override
    public Topology topology() {
        return OrdersTopology.build();
    }

    /** An order every millisecond, its stock decision up to 2 s after that of the payment. */
    @Override
    public void backlog(int records, long seed, Consumer<ProducerRecord<byte[], byte[]>> to) {
        Decisions decisions = new Decisions(seed);
        for (long id = 0; id < records / 2; id++) {
            long timestamp = START + id;
            to.accept(decisions.payment(id, timestamp));
            to.accept(decisions.stock(id, timestamp + decisions.delay(LATEST_MS)));
        }
    }

    @Override
    public String subject(ConsumerRecord<byte[], byte[]> result) {
        return "order " + ByteBuffer.wrap(result.key()).getLong();
    }

    @Override
    public String meaning(ConsumerRecord<byte[], byte[]> result) throws IOException {
        return subject(result) + " at " + result.timestamp() + ": " + Fields.of(result);
    }

    @Override
    public Feed feed(int rate, int total) {
        return new OrdersFeed(rate, total);
    }
}
