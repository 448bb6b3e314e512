package millrace.bench;

import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.streams.Topology;

/** A pipeline that Kafka Streams runs too: both have the same backlog and must have the same results. */
interface Compared extends Pipeline {
    /** Time of the first record of a backlog: a day in 2023. */
    long START = 1_700_000_000_000L;

    static Compared named(String name) {
        if (Pipeline.named(name) instanceof Compared compared) return compared;
        throw new IllegalArgumentException("Kafka Streams has no " + name);
    }

    /** The pipeline in Kafka Streams. */
    Topology topology();

    /** Those of the results that the pipeline reads again. */
    default List<String> readBack() {
        return List.of();
    }

    /** The records of a backlog: the same ones for the same seed. */
    void backlog(int records, long seed, Consumer<ProducerRecord<byte[], byte[]>> to);

    /** What a result is about, as text: a run with two results about the same is wrong. */
    String subject(ConsumerRecord<byte[], byte[]> result) throws IOException;

    /**
     * What a result says, as text: it must be the same for both systems, and for no other result. Fields that only one
     * of them has don't belong to it, nor does the notation of numbers.
     */
    String meaning(ConsumerRecord<byte[], byte[]> result) throws IOException;
}
