package millrace.golden;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.function.BiPredicate;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

/** What all pipelines do with their inputs and outputs. */
final class Events {
    static final Serde<String> TEXT = Serdes.String();
    static final Produced<String, ObjectNode> OUT = Produced.with(TEXT, Json.OBJECTS);
    static final String DEAD_LETTERS = "dead-letters";

    /** The valid records of a topic; the others go to the dead letters, as they came. Null is never valid. */
    static KStream<String, ObjectNode> valid(StreamsBuilder builder, String topic,
        BiPredicate<String, ObjectNode> isValid) {
        return split(builder, topic, (key, text) -> {
            ObjectNode event = Json.object(text);
            return event != null && isValid.test(key, event);
        });
    }

    /** The rows of a table's topic: objects, and null for a row that is deleted. */
    static KStream<String, ObjectNode> rows(StreamsBuilder builder, String topic) {
        return split(builder, topic, (key, text) -> text == null || Json.object(text) != null);
    }

    private static KStream<String, ObjectNode> split(StreamsBuilder builder, String topic,
        BiPredicate<String, String> isValid) {
        KStream<String, String> all = builder.stream(topic, Consumed.with(TEXT, TEXT));
        return all.split()
            .branch((key, text) -> !isValid.test(key, text), Branched.withConsumer(invalid ->
                invalid.to(DEAD_LETTERS, Produced.with(TEXT, TEXT))))
            .defaultBranch(Branched.as("valid"))
            .values().iterator().next()
            .mapValues(Json::object);
    }

    private Events() {}
}
