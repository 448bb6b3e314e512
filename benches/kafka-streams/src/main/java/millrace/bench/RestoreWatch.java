package millrace.bench;

import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.processor.StateRestoreListener;

/** Counts restored records, and the time from the first store that begins to the last that is done. */
final class RestoreWatch implements StateRestoreListener {
    private long records;
    private long start;
    private long end;

    @Override
    public synchronized void onRestoreStart(TopicPartition partition, String store, long from, long to) {
        if (start == 0) start = System.nanoTime();
    }

    /** A store that moves to another thread has no end of its own, so batches are what is counted. */
    @Override
    public synchronized void onBatchRestored(TopicPartition partition, String store, long offset, long count) {
        records += count;
    }

    @Override
    public synchronized void onRestoreEnd(TopicPartition partition, String store, long total) {
        end = System.nanoTime();
    }

    synchronized String fields() {
        return "\"restored\":%d,\"restore_ms\":%d".formatted(records, TimeUnit.NANOSECONDS.toMillis(end - start));
    }
}
