package millrace.golden;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/** Orders with their customers, those of high value, and the trend of each region. */
final class OrderEnrichment {
    private static final Serde<Trend> TRENDS = Json.serde(new TypeReference<>() {});

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, ObjectNode> orders = Events.valid(builder, "bss.order.events",
            (key, order) -> Json.isPositive(order, "amount") && Json.has(order, "customerId"));
        KTable<String, ObjectNode> customers =
            Events.rows(builder, "bss.customer.info").toTable(Materialized.with(Events.TEXT, Json.OBJECTS));
        KStream<String, ObjectNode> enriched =
            orders.leftJoin(customers, OrderEnrichment::enrich, Joined.with(Events.TEXT, Json.OBJECTS, Json.OBJECTS));
        enriched.to("bss.orders.enriched", Events.OUT);
        enriched
            .filter((key, order) -> order.get("amount").doubleValue() > 1000)
            .to("bss.orders.highvalue", Events.OUT);
        orders
            .groupBy((key, order) -> Json.text(order, "region"), Grouped.with(Events.TEXT, Json.OBJECTS))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofHours(1)))
            .aggregate(() -> new Trend(0, 0, 0), Trend::with, Materialized.with(Events.TEXT, TRENDS))
            .toStream()
            .map((window, trend) -> KeyValue.pair(window.key(), trend.result(window)))
            .to("bss.orders.region.trend", Events.OUT);
        return builder.build();
    }

    private static ObjectNode enrich(ObjectNode order, ObjectNode customer) {
        ObjectNode result = order.deepCopy();
        result.set("customer", customer);
        result.set("customerTier", customer == null ? null : customer.get("tier"));
        return result;
    }

    /** The orders of a region in an hour. */
    record Trend(long count, double total, double max) {
        static Trend with(String region, ObjectNode order, Trend before) {
            double amount = order.get("amount").doubleValue();
            return new Trend(before.count + 1, before.total + amount, Math.max(before.max, amount));
        }

        ObjectNode result(Windowed<String> window) {
            return Json.MAPPER.createObjectNode()
                .put("region", window.key())
                .put("windowStart", window.window().start())
                .put("windowEnd", window.window().end())
                .put("count", count)
                .put("total", total)
                .put("average", total / count)
                .put("max", max);
        }
    }

    private OrderEnrichment() {}
}
