package millrace.golden;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.annotation.JsonSerialize;
import java.util.List;

/**
 * An operator or a pipeline, its inputs, and the outputs of Kafka Streams.
 *
 * <pre>{"name": ..., "op": {...}, "in": [{"i", "k", "v", "t"}...], "out": [{"k", "w", "v", "t", "n"}...]}</pre>
 * <pre>{"name": ..., "pipeline": ..., "in": [...], "out": [{"o", "k", "v", "t", "n"}...]}</pre>
 */
@JsonPropertyOrder({"name", "op", "pipeline", "in", "out"})
record Case(String name, @JsonInclude(JsonInclude.Include.NON_NULL) Op op,
    @JsonInclude(JsonInclude.Include.NON_NULL) String pipeline, @JsonProperty("in") List<Input> inputs,
    @JsonProperty("out") List<Output> outputs) {

    static Case of(String name, Op op, List<Input> inputs) {
        return new Case(name, op, null, inputs, List.of());
    }

    static Case of(String name, String pipeline, List<Input> inputs) {
        return new Case(name, null, pipeline, inputs, List.of());
    }

    Case answered(List<Output> answer) {
        return new Case(name, op, pipeline, inputs, answer);
    }

    /** Topic ({@code left} or {@code right} for an operator), key, value and timestamp. */
    record Input(@JsonProperty("i") String topic, @JsonProperty("k") String key,
        @JsonProperty("v") @JsonSerialize(using = ValueText.Writer.class)
        @JsonDeserialize(using = ValueText.Reader.class) String value,
        @JsonProperty("t") long timestamp) {}

    /**
     * Topic (of a pipeline), key, window (start and end) where there is one, value, timestamp, and the index of the last
     * input before it.
     */
    @JsonPropertyOrder({"o", "k", "w", "v", "t", "n"})
    record Output(@JsonProperty("o") @JsonInclude(JsonInclude.Include.NON_NULL) String topic,
        @JsonProperty("k") String key,
        @JsonProperty("w") @JsonInclude(JsonInclude.Include.NON_NULL) long[] window,
        @JsonProperty("v") @JsonSerialize(using = ValueText.Writer.class)
        @JsonDeserialize(using = ValueText.Reader.class) String value,
        @JsonProperty("t") long timestamp, @JsonProperty("n") int after) {}
}
