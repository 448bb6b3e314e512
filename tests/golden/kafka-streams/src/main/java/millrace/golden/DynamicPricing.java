package millrace.golden;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

/** A price for each product that follows the demand of a quarter of an hour. */
final class DynamicPricing {
    private static final Serde<Demand> DEMANDS = Json.serde(new TypeReference<>() {});
    private static final double EXPECTED = 50;

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        Events
            .valid(builder, "bss.order.events", (key, order) -> Json.isPositive(order, "unitPrice"))
            .groupBy((customer, order) -> Json.text(order, "productId"), Grouped.with(Events.TEXT, Json.OBJECTS))
            .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(15)))
            .aggregate(() -> new Demand(0, 0), Demand::with, Materialized.with(Events.TEXT, DEMANDS))
            .toStream()
            .map((window, demand) -> KeyValue.pair(window.key(), demand.price(window)))
            .to("bss.pricing.recommendations", Events.OUT);
        return builder.build();
    }

    /** Number of orders, and the unit price of the last one to arrive. */
    record Demand(long orders, double basePrice) {
        static Demand with(String product, ObjectNode order, Demand before) {
            return new Demand(before.orders + 1, order.get("unitPrice").doubleValue());
        }

        ObjectNode price(Windowed<String> window) {
            double factor = orders / EXPECTED;
            double price = Math.min(basePrice * (1 + (factor - 1) * 0.1), basePrice * 1.10);
            return Json.MAPPER.createObjectNode()
                .put("productId", window.key())
                .put("windowStart", window.window().start())
                .put("windowEnd", window.window().end())
                .put("orders", orders)
                .put("expected", EXPECTED)
                .put("demandFactor", factor)
                .put("basePrice", basePrice)
                .put("recommendedPrice", price);
        }
    }

    private DynamicPricing() {}
}
