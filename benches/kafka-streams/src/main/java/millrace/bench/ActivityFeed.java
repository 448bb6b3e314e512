package millrace.bench;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerRecord;

/** What customers do: each event makes a result of its five minutes and one of its visit. */
final class ActivityFeed extends SteadyFeed {
    private static final List<String> TYPES = List.of("VIEW", "VIEW", "VIEW", "SEARCH", "ADD_TO_CART", "PURCHASE");
    private static final int PRODUCTS = 1000;
    private static final int CATEGORIES = 20;
    private final Events events = new Events(1);

    ActivityFeed(int rate, int total) {
        super(rate, total);
    }

    @Override
    ProducerRecord<byte[], byte[]> record(int number, long timestamp) {
        String customer = "c" + events.customer();
        return Events.event(Activity.EVENTS, customer, timestamp, "\"eventId\":\"e" + number + "\",\"customerId\":\""
            + customer + "\",\"activityType\":\"" + TYPES.get(events.below(TYPES.size())) + "\",\"productId\":\"p"
            + events.below(PRODUCTS) + "\",\"category\":\"category-" + events.below(CATEGORIES) + "\"");
    }

    @Override
    public Map<String, Integer> expected() {
        return Map.of(Activity.AGGREGATED, sent(), Activity.SESSIONS, sent());
    }
}
