package millrace.bench;

import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;

/** The topics of a pipeline, as each measurement finds them. */
final class Topics {
    private static final int PARTITIONS = 4;
    private static final long PATIENCE_S = 90;

    /**
     * What the run before has left must neither be restored nor compacted while the next one is measured. Only a
     * backlog is kept, for another run over it.
     */
    static void reset(Options options) throws Exception {
        Pipeline pipeline = Pipeline.named(options.text("pipeline"));
        List<String> keep = options.text("keep").equals("input") ? pipeline.input() : List.of();
        List<String> create = Stream.of(pipeline.input(), pipeline.results(), pipeline.others()).flatMap(List::stream)
            .filter(topic -> !keep.contains(topic)).toList();
        try (Admin admin = Admin.create(options.client())) {
            patiently(() -> delete(admin, keep));
            // Loaded records have old timestamps, and would be gone within minutes by the usual retention.
            Map<String, String> config = Map.of("retention.ms", "-1");
            List<NewTopic> topics = create.stream()
                .map(name -> new NewTopic(name, PARTITIONS, (short) 1).configs(config)).toList();
            patiently(() -> admin.createTopics(topics).all());
        }
        System.out.println("{\"done\":true}");
    }

    private static KafkaFuture<Void> delete(Admin admin, List<String> keep) throws Exception {
        Collection<GroupListing> groups = admin.listGroups().all().get();
        admin.deleteConsumerGroups(groups.stream().map(GroupListing::groupId).toList()).all().get();
        Set<String> topics = new HashSet<>(admin.listTopics().names().get());
        topics.removeAll(keep);
        return admin.deleteTopics(topics).all();
    }

    /** A group may still have members for a moment, and a deleted topic its name. */
    private static void patiently(Callable<KafkaFuture<Void>> step) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_S);
        while (true) {
            try {
                step.call().get();
                return;
            } catch (ExecutionException e) {
                if (!passes(e.getCause()) || System.nanoTime() > deadline) throw e;
                TimeUnit.MILLISECONDS.sleep(200);
            }
        }
    }

    private static boolean passes(Throwable cause) {
        return cause instanceof GroupNotEmptyException || cause instanceof GroupIdNotFoundException
            || cause instanceof TopicExistsException || cause instanceof RetriableException;
    }

    private Topics() {}
}
