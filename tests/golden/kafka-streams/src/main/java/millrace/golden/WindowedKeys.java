package millrace.golden;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;

/** Keys with a window. Those of time windows don't say where it ends, so who reads them has to know. */
final class WindowedKeys {
    static Serde<Windowed<String>> serde(Op op) {
        return switch (op.window()) {
            case "session" -> WindowedSerdes.sessionWindowedSerdeFrom(String.class);
            case "sliding" -> WindowedSerdes.timeWindowedSerdeFrom(String.class, op.difference());
            default -> WindowedSerdes.timeWindowedSerdeFrom(String.class, op.size());
        };
    }

    static Case.Output output(Op op, byte[] key, String value, long timestamp, int after) {
        if (op.isWindowed()) {
            Windowed<String> windowed = serde(op).deserializer().deserialize(Answer.OUT, key);
            long[] window = {windowed.window().start(), windowed.window().end()};
            return new Case.Output(windowed.key(), window, value, timestamp, after);
        }
        String text = key == null ? null : new String(key, StandardCharsets.UTF_8);
        return new Case.Output(text, null, value, timestamp, after);
    }

    private WindowedKeys() {}
}
