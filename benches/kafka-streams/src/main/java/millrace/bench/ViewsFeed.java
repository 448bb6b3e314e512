package millrace.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Views of products, each by a customer with a profile. Only one customer looks at a product: a result of a window has
 * the latest time of the views in it, which then is that of the view that it follows from.
 */
final class ViewsFeed extends SteadyFeed {
    private static final List<String> TYPES = List.of("VIEW", "ADD_TO_CART", "PURCHASE");
    private static final int CATEGORIES = 20;
    private final Events events = new Events(1);

    ViewsFeed(int rate, int total) {
        super(rate, total);
    }

    /** The profiles: an activity of each type of each customer. */
    @Override
    public List<ProducerRecord<byte[], byte[]>> before(long timestamp) {
        List<ProducerRecord<byte[], byte[]>> profiles = new ArrayList<>();
        for (int number = 0; number < Events.CUSTOMERS; number++) {
            for (String type : TYPES) {
                String customer = "c" + number;
                profiles.add(Events.event(Recommendations.EVENTS, customer, timestamp, "\"eventId\":\"e" + number + type
                    + "\",\"customerId\":\"" + customer + "\",\"activityType\":\"" + type + "\",\"category\":\""
                    + category() + "\""));
            }
        }
        return profiles;
    }

    @Override
    ProducerRecord<byte[], byte[]> record(int number, long timestamp) {
        int customer = events.customer();
        return Events.event(Recommendations.VIEWS, "c" + customer, timestamp, "\"customerId\":\"c" + customer
            + "\",\"productId\":\"p" + customer + "\",\"category\":\"" + category() + "\"");
    }

    private String category() {
        return "category-" + events.below(CATEGORIES);
    }

    @Override
    public Map<String, Integer> expected() {
        return Map.of(Recommendations.RECOMMENDATIONS, sent(), Recommendations.TRENDING, sent());
    }
}
