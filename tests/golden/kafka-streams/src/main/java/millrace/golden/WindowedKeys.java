package millrace.golden;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.test.TestRecord;

/** Keys with a window. Those of time windows don't say where it ends, so who reads them has to know. */
final class WindowedKeys {
    static Serde<Windowed<String>> serde(Op op) {
        return switch (op.window()) {
            case "session" -> WindowedSerdes.sessionWindowedSerdeFrom(String.class);
            case "sliding" -> WindowedSerdes.timeWindowedSerdeFrom(String.class, op.difference());
            default -> WindowedSerdes.timeWindowedSerdeFrom(String.class, op.size());
        };
    }

    static Case.Output output(Op op, TestRecord<byte[], String> record, int after) {
        String value = record.value();
        long timestamp = record.timestamp();
        if (op.isWindowed()) {
            Windowed<String> windowed = serde(op).deserializer().deserialize(Answer.OUT, record.key());
            long[] window = {windowed.window().start(), windowed.window().end()};
            return new Case.Output(null, windowed.key(), window, value, timestamp, after);
        }
        return new Case.Output(null, text(record.key()), null, value, timestamp, after);
    }

    static String text(byte[] key) {
        return key == null ? null : new String(key, StandardCharsets.UTF_8);
    }

    private WindowedKeys() {}
}
