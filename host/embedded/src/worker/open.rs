//! Opening a worker: its topics, its tasks, and their cursors.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_engine::deployment::ActivePlugins;
use millrace_engine::ledger::Ledger;
use millrace_engine::ports::StoreId;
use millrace_engine::task::{Deployed, Task, TaskOptions};
use millrace_engine::topology;
use millrace_store::Database;

use super::absent;
use super::{ActiveTask, Cursor, FollowedTable, Worker, WorkerOptions};
use crate::catalog::Catalog;
use crate::error::Error;
use crate::log::{Log, Tail};

/// Most timers that a task fires at a time: records and commits wait for them.
const TIMERS_AT_A_TIME: usize = 1_000;

impl Worker {
    /// Opens the tasks of an app over their committed state; creates missing topics.
    ///
    /// # Errors
    /// [`Error::Partitions`]: the numbers of partitions don't fit together. [`Error::Task`]: the state doesn't fit the
    /// pipeline. Otherwise the database or the log can't be read.
    pub fn open(
        plugins: &ActivePlugins,
        database: Arc<Database>,
        log: Arc<Log>,
        options: WorkerOptions,
    ) -> Result<Self, Error> {
        let topology = Arc::clone(&plugins.topology);
        let known = |name: &str| log.topic(name).map(|topic| log.partitions(topic));
        let partitions: Arc<[u32]> = topology::partitions(&topology, &known).map_err(Error::Partitions)?.into();
        absent::warn(&topology, &log);
        for (topic, said, partitions) in topology::said_otherwise(&topology, &partitions) {
            tracing::warn!(topic, partitions, said, "{}", topology::PARTITIONS_STAY);
        }
        let topics = topology.topics.iter().zip(partitions.iter());
        let topics =
            topics.map(|(topic, partitions)| log.create_topic(&topic.name, *partitions)).collect::<Result<_, _>>()?;
        let mut catalog = Catalog::load(&log)?;
        catalog.add(&topology);
        catalog.save(&database, &log)?;
        let tail = Tail::new(&log);
        let mut worker = Self {
            topology,
            plugins: plugins.clone(),
            database,
            log,
            options,
            partitions,
            topics,
            tasks: Vec::new(),
            globals: Vec::new(),
            readers: HashMap::new(),
            tail,
            dirty: false,
            ledger: Ledger::default(),
        };
        worker.open_globals()?;
        worker.open_tasks(&plugins.deployments)?;
        Ok(worker)
    }

    /// Drops all that isn't committed, and opens the tasks anew.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub(crate) fn reopen(&mut self) -> Result<(), Error> {
        let (database, log) = (Arc::clone(&self.database), Arc::clone(&self.log));
        let ledger = std::mem::take(&mut self.ledger);
        *self = Self { ledger, ..Self::open(&self.plugins.clone(), database, log, self.options)? };
        Ok(())
    }

    fn open_globals(&mut self) -> Result<(), Error> {
        let topology = Arc::clone(&self.topology);
        for table in &topology.globals {
            let Some(place) = self.topics.get(table.topic.0).copied() else { continue };
            let partitions = 0..self.partitions(table.topic);
            let open = |partition| Cursor::open(&self.log, &topology.app, place, Some(partition));
            let cursors = partitions.map(open).collect::<Result<_, _>>()?;
            self.globals.push(FollowedTable { table: table.clone(), cursors });
        }
        Ok(())
    }

    fn open_tasks(&mut self, deployments: &Arc<[Deployed]>) -> Result<(), Error> {
        let topology = Arc::clone(&self.topology);
        if let Some(part) = topology.subtopologies.first() {
            for partition in self.database.partitions(part.meta)? {
                topology.check_rests(&self.database.backend(partition), partition, &self.partitions)?;
            }
        }
        let shared: Arc<[StoreId]> = topology.globals.iter().map(|table| table.store).collect();
        for (subtopology, shape) in topology.subtopologies.iter().enumerate() {
            let counts = shape.inputs.iter().filter_map(|topic| self.partitions.get(topic.0));
            for partition in 0..counts.copied().max().unwrap_or(0) {
                let (partitions, deployments) = (Arc::clone(&self.partitions), Arc::clone(deployments));
                let options = TaskOptions {
                    batch: self.options.batch,
                    window_memory: self.options.window_memory,
                    timers: TIMERS_AT_A_TIME,
                    ..TaskOptions::new(subtopology, partition, partitions, deployments)
                };
                let backend = self.database.backend(partition).sharing(Arc::clone(&shared));
                let task = Task::open(Arc::clone(&topology), options, Box::new(backend))?;
                self.add_task(task)?;
            }
        }
        Ok(())
    }

    /// Adds a task with its cursors. An input that has fewer partitions than another may have none for this task.
    fn add_task(&mut self, task: Task) -> Result<(), Error> {
        let mut cursors = Vec::new();
        for (input, topic) in task.inputs().iter().enumerate() {
            let Some(place) = self.topics.get(topic.0).copied() else { continue };
            let partition = (task.partition() < self.partitions(*topic)).then_some(task.partition());
            cursors.push(Cursor::open(&self.log, &self.topology.app, place, partition)?);
            if partition.is_some() {
                self.readers.insert((*topic, task.partition()), (self.tasks.len(), input));
            }
        }
        self.tasks.push(ActiveTask { task, cursors });
        Ok(())
    }
}
