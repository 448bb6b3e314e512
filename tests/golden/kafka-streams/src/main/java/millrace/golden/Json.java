package millrace.golden;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** JSON values of records, and states of aggregates as JSON. */
final class Json {
    static final ObjectMapper MAPPER = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    static final Serde<ObjectNode> OBJECTS = serde(new TypeReference<ObjectNode>() {});

    /** The object that a text is; null where it is none. */
    static ObjectNode object(String text) {
        if (text == null) return null;
        try {
            return MAPPER.readTree(text) instanceof ObjectNode object ? object : null;
        } catch (JsonProcessingException noJson) {
            return null;
        }
    }

    /** A field that is text; null where it is missing or something else. */
    static String text(ObjectNode object, String field) {
        return object.path(field).textValue();
    }

    /** Whether a field is a number over zero. Text is no number, whatever it says. */
    static boolean isPositive(ObjectNode object, String field) {
        JsonNode value = object.path(field);
        return value.isNumber() && value.doubleValue() > 0;
    }

    /** Whether a field is there, and isn't null. */
    static boolean has(ObjectNode object, String field) {
        return object.hasNonNull(field);
    }

    static <T> Serde<T> serde(TypeReference<T> type) {
        return Serdes.serdeFrom((topic, value) -> bytes(value), (topic, bytes) -> value(bytes, type));
    }

    private static byte[] bytes(Object value) {
        try {
            return value == null ? null : MAPPER.writeValueAsBytes(value);
        } catch (JsonProcessingException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static <T> T value(byte[] bytes, TypeReference<T> type) {
        try {
            return bytes == null ? null : MAPPER.readValue(bytes, type);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private Json() {}
}
