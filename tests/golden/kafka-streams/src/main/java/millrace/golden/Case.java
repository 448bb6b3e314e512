package millrace.golden;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import java.util.List;

/**
 * An operator, what comes in, and what Kafka Streams puts out.
 *
 * <pre>{"name": ..., "op": {...}, "in": [{"i", "k", "v", "t"}...], "out": [{"k", "w", "v", "t", "n"}...]}</pre>
 */
@JsonPropertyOrder({"name", "op", "in", "out"})
record Case(String name, Op op, @JsonProperty("in") List<Input> inputs, @JsonProperty("out") List<Output> outputs) {
    Case answered(List<Output> answer) {
        return new Case(name, op, inputs, answer);
    }

    /** Topic ({@code left} or {@code right}), key, value and timestamp. */
    record Input(@JsonProperty("i") String topic, @JsonProperty("k") String key, @JsonProperty("v") String value,
        @JsonProperty("t") long timestamp) {}

    /** Key, window (start and end) where there is one, value, timestamp, and the index of the input it came after. */
    @JsonPropertyOrder({"k", "w", "v", "t", "n"})
    record Output(@JsonProperty("k") String key,
        @JsonProperty("w") @JsonInclude(JsonInclude.Include.NON_NULL) long[] window,
        @JsonProperty("v") String value, @JsonProperty("t") long timestamp, @JsonProperty("n") int after) {}
}
