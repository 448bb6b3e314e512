package millrace.bench;

import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;

/**
 * Orders at a steady rate; either decision comes first, and the other up to 200 ms later. The result has its timestamp
 * from the later one.
 */
final class OrdersFeed implements Feed {
    private static final int APART_MS = 200;
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private final Decisions decisions = new Decisions(1);
    private final PriorityQueue<Due> due = new PriorityQueue<>((a, b) -> Long.compare(a.nanos(), b.nanos()));
    private final int rate;
    private final int total;
    private int orders;

    OrdersFeed(int rate, int total) {
        this.rate = rate;
        this.total = total;
    }

    @Override
    public Due next() {
        long next = orders * SECOND / rate;
        if (orders < total && (due.isEmpty() || next <= due.peek().nanos())) {
            boolean paymentFirst = decisions.delay(2) == 0;
            long apart = TimeUnit.MILLISECONDS.toNanos(decisions.delay(APART_MS));
            due.add(decision(next, orders, paymentFirst));
            due.add(decision(next + apart, orders, !paymentFirst));
            orders++;
        }
        return due.poll();
    }

    private Due decision(long nanos, long id, boolean payment) {
        return new Due(nanos, time -> payment ? decisions.payment(id, time) : decisions.stock(id, time));
    }

    @Override
    public Map<String, Integer> expected() {
        return Map.of(Orders.ORDERS, orders);
    }
}
