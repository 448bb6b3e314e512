package millrace.bench;

import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Alerts of payments that are over five times the mean of the customer's earlier ones. */
final class UnusualAmounts extends ContextualProcessor<String, Payment, String, FraudTopology.Alert> {
    private static final double FACTOR = 5;
    private final String name;
    private KeyValueStore<String, History> store;

    /** All payments of a customer. */
    public static class History {
        public long count;
        public double sum;
    }

    UnusualAmounts(String store) {
        name = store;
    }

    @Override
    public void init(ProcessorContext<String, FraudTopology.Alert> context) {
        super.init(context);
        store = context.getStateStore(name);
    }

    @Override
    public void process(Record<String, Payment> payment) {
        History history = store.get(payment.key());
        if (history == null) history = new History();
        double amount = payment.value().amount;
        if (history.count > 0 && amount > FACTOR * history.sum / history.count) {
            FraudTopology.Alert alert = new FraudTopology.Alert();
            alert.customerId = payment.key();
            alert.type = "UNUSUAL_AMOUNT";
            alert.severity = "MEDIUM";
            alert.value = amount;
            context().forward(payment.withValue(alert));
        }
        history.count++;
        history.sum += amount;
        store.put(payment.key(), history);
    }
}
