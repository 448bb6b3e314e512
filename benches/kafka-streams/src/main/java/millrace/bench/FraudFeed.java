package millrace.bench;

import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Payments with many alerts: customers come in groups of 200 and take turns, until each has made 11 payments. The
 * second one has an unusual amount, and the last one is one too many for its window. No other has an alert.
 */
final class FraudFeed extends SteadyFeed {
    private static final int GROUP = 200;
    private static final int PAYMENTS = 11;
    private static final long WINDOW_MS = TimeUnit.MINUTES.toMillis(5);
    private final Events events = new Events(1);
    private final long[] firstWindow = new long[GROUP];
    private int alerts;

    FraudFeed(int rate, int total) {
        super(rate, total);
    }

    @Override
    ProducerRecord<byte[], byte[]> record(int number, long timestamp) {
        int member = number % GROUP;
        int turn = number / GROUP % PAYMENTS;
        long window = timestamp / WINDOW_MS;
        boolean unusual = turn == 1;
        if (turn == 0) firstWindow[member] = window;
        if (unusual || turn == PAYMENTS - 1 && firstWindow[member] == window) alerts++;
        String customer = "c" + (number / (GROUP * PAYMENTS) * GROUP + member);
        // Without the unusual one, the mean is 100 or more, and no amount is over twice that.
        double amount = unusual ? 2000 + events.below(1000) : 100 + events.below(100);
        return events.payment(number, customer, amount, timestamp);
    }

    @Override
    public Map<String, Integer> expected() {
        return Map.of(Fraud.ALERTS, alerts);
    }
}
