package millrace.bench;

import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Single records, one after the other at equal intervals. */
abstract class SteadyFeed implements Feed {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    private final int rate;
    private final int total;
    private int sent;

    SteadyFeed(int rate, int total) {
        this.rate = rate;
        this.total = total;
    }

    /** The record of a number, from 0 on. */
    abstract ProducerRecord<byte[], byte[]> record(int number, long timestamp);

    @Override
    public final Due next() {
        if (sent == total) return null;
        int number = sent++;
        return new Due(number * SECOND / rate, timestamp -> record(number, timestamp));
    }

    /** Number of records so far. */
    final int sent() {
        return sent;
    }
}
