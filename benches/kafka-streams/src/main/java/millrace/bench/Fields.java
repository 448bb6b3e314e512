package millrace.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** The fields of a result: ordered by name, and all numbers in the same notation. */
final class Fields {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    static Map<String, Object> of(ConsumerRecord<byte[], byte[]> result) throws IOException {
        Map<String, Object> fields = new TreeMap<>();
        for (Map.Entry<String, JsonNode> field : MAPPER.readTree(result.value()).properties()) {
            JsonNode value = field.getValue();
            fields.put(field.getKey(), value.isNumber() ? (Object) value.asDouble() : value);
        }
        return fields;
    }

    private Fields() {}
}
