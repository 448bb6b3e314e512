package millrace.bench;

import java.time.Duration;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.state.Stores;

/** What {@code pipelines/orders.toml} says, as a user of Kafka Streams would write it. */
final class OrdersTopology {
    static Topology build() {
        StreamsBuilder builder = new StreamsBuilder();
        Serde<Long> key = Serdes.Long();
        Serde<Order> value = JsonSerde.of(Order.class);
        Consumed<Long, Order> consumed = Consumed.with(key, value);
        KStream<Long, Order> payments = builder.stream(Orders.PAYMENTS, consumed);
        KStream<Long, Order> stock = builder.stream(Orders.STOCK, consumed);
        payments
            .join(stock, OrdersTopology::resolve, JoinWindows.ofTimeDifferenceWithNoGrace(Duration.ofSeconds(10)),
                StreamJoined.with(key, value, value))
            .to(Orders.ORDERS, Produced.with(key, value));
        builder.table(Orders.ORDERS, consumed,
            Materialized.<Long, Order>as(Stores.persistentKeyValueStore("orders"))
                .withKeySerde(key).withValueSerde(value));
        return builder.build();
    }

    /** The rule of the plugin `order-status`. */
    private static Order resolve(Order payment, Order stock) {
        boolean paymentRejects = "REJECT".equals(payment.status);
        boolean stockRejects = "REJECT".equals(stock.status);
        if (paymentRejects && stockRejects) {
            stock.status = "REJECTED";
        } else if (paymentRejects || stockRejects) {
            stock.status = "ROLLBACK";
            stock.source = paymentRejects ? "PAYMENT" : "INVENTORY";
        } else if ("ACCEPT".equals(payment.status) && "ACCEPT".equals(stock.status)) {
            stock.status = "CONFIRMED";
            stock.source = null;
        }
        return stock;
    }

    private OrdersTopology() {}
}
