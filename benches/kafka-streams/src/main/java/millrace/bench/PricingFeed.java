package millrace.bench;

import java.io.IOException;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Orders of products. A result of a window has the latest time of the orders in it, and customers of all partitions
 * order a product. But its base price is that of the order from which it follows: so each price is the time of its
 * order.
 */
final class PricingFeed extends SteadyFeed {
    private static final int PRODUCTS = 1000;
    private static final int REGIONS = 8;
    private final Events events = new Events(1);

    PricingFeed(int rate, int total) {
        super(rate, total);
    }

    @Override
    ProducerRecord<byte[], byte[]> record(int number, long timestamp) {
        String customer = "c" + events.customer();
        return Events.event(Pricing.ORDERS, customer, timestamp, "\"orderId\":\"o" + number + "\",\"customerId\":\""
            + customer + "\",\"productId\":\"p" + events.below(PRODUCTS) + "\",\"region\":\"R" + events.below(REGIONS)
            + "\",\"amount\":" + (1 + events.below(500)) + ",\"unitPrice\":" + timestamp);
    }

    @Override
    public Map<String, Integer> expected() {
        return Map.of(Pricing.PRICES, sent());
    }

    @Override
    public long cause(ConsumerRecord<byte[], byte[]> result) throws IOException {
        return ((Double) Fields.of(result).get("basePrice")).longValue();
    }
}
