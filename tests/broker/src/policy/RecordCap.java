import java.util.Map;
import org.apache.kafka.common.errors.PolicyViolationException;
import org.apache.kafka.server.policy.CreateTopicPolicy;

/** No topic for records of more than 8 MiB, as on many hosted clusters. `policy.rs` says how it is compiled. */
public class RecordCap implements CreateTopicPolicy {
    public void configure(Map<String, ?> configs) {}

    public void close() {}

    public void validate(RequestMetadata topic) {
        String bytes = topic.configs().get("max.message.bytes");
        if (bytes != null && Long.parseLong(bytes) > 8388608) {
            throw new PolicyViolationException("no topic may have records of more than 8 MiB");
        }
    }
}
