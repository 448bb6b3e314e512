package millrace.golden;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import java.io.IOException;

/**
 * Values of records in a file of cases: a value is a text. Where the text is a JSON object, the file has the object itself,
 * which is shorter and can be read without backslashes.
 */
final class ValueText {
    static final class Writer extends JsonSerializer<String> {
        @Override
        public void serialize(String text, JsonGenerator out, SerializerProvider provider) throws IOException {
            // Only where the reader makes the very same text of it.
            var object = Json.object(text);
            if (object != null && object.toString().equals(text)) {
                out.writeRawValue(text);
            } else {
                out.writeString(text);
            }
        }
    }

    static final class Reader extends JsonDeserializer<String> {
        @Override
        public String deserialize(JsonParser in, DeserializationContext context) throws IOException {
            return in.currentToken() == JsonToken.START_OBJECT ? in.readValueAsTree().toString() : in.getValueAsString();
        }
    }

    private ValueText() {}
}
