package millrace.bench;

import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.RecordMetadata;

/** Keeps the first record that the broker refused: a load with a gap must not pass for a whole one. */
final class Refused implements Callback {
    private volatile Exception first;

    @Override
    public void onCompletion(RecordMetadata record, Exception e) {
        if (e != null && first == null) first = e;
    }

    void check() {
        if (first != null) throw new IllegalStateException("a record was refused", first);
    }
}
