package millrace.bench;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.function.LongFunction;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Input at a steady rate, and what follows from it. */
interface Feed {
    /** A record that is due some time after the start; it is made when its timestamp is known. */
    record Due(long nanos, LongFunction<ProducerRecord<byte[], byte[]>> record) {}

    /** Records that must be processed before the first one is due. */
    default List<ProducerRecord<byte[], byte[]>> before(long timestamp) {
        return List.of();
    }

    /** The record that is due next, or null behind the last one. */
    Due next();

    /** How many results each topic gets of all records so far, tombstones not counted. */
    Map<String, Integer> expected();

    /** The timestamp of the record from which a result follows. */
    default long cause(ConsumerRecord<byte[], byte[]> result) throws IOException {
        return result.timestamp();
    }
}
