//! The stored form of a replay buffer: every field as little-endian bytes after its length, in a fixed
//! order.

use super::{ReplayBuffer, ReplayBufferConfig, ReplayBufferError};

impl ReplayBuffer {
    /// Writes everything held.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes());
        let mut field = |field: &mut dyn Iterator<Item = u8>| {
            let start = bytes.len();
            bytes.extend([0; 8]);
            bytes.extend(field);
            let length = (bytes.len() - start - 8) as u64;
            bytes[start..start + 8].copy_from_slice(&length.to_le_bytes());
        };
        let floats = |values: &[f32]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        field(&mut self.written.to_le_bytes().into_iter());
        field(&mut self.largest_priority.to_le_bytes().into_iter());
        field(&mut floats(&self.observations).into_iter());
        field(&mut self.actions.iter().flat_map(|action| action.to_le_bytes()));
        field(&mut floats(&self.rewards).into_iter());
        field(&mut self.ends.iter().copied());
        field(&mut floats(&self.head).into_iter());
        field(&mut self.cuts.iter().flat_map(|cut| cut.to_le_bytes()));
        field(&mut self.after_cuts.iter().flat_map(|value| value.to_le_bytes()));
        let priorities = self.priorities.as_ref();
        let priorities = priorities.map_or(&[][..], |tree| tree.weights(self.len()));
        field(&mut floats(priorities).into_iter());
        bytes
    }

    /// Fills an empty replay buffer from the bytes of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// If it is of another size, or cut off.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), ReplayBufferError> {
        let mut rest = bytes;
        let mut read = Self::new(self.config)?;
        read.written = u64::from_le_bytes(array(field(&mut rest)?)?);
        read.largest_priority = f32::from_le_bytes(array(field(&mut rest)?)?);
        read.observations.extend(floats(field(&mut rest)?));
        let actions = field(&mut rest)?;
        let (actions, _) = actions.as_chunks();
        read.actions
            .extend(actions.iter().map(|bytes| u16::from_le_bytes(*bytes)));
        read.rewards.extend(floats(field(&mut rest)?));
        read.ends.extend_from_slice(field(&mut rest)?);
        read.head = floats(field(&mut rest)?).collect();
        let cuts = field(&mut rest)?;
        let (cuts, _) = cuts.as_chunks();
        read.cuts = cuts
            .iter()
            .map(|bytes| u64::from_le_bytes(*bytes))
            .collect();
        read.after_cuts = floats(field(&mut rest)?).collect();
        let priorities: Vec<f32> = floats(field(&mut rest)?).collect();
        let ReplayBufferConfig { envs, width, .. } = self.config;
        let len = read.written.min(self.rows as u64) as usize * envs;
        let lengths = [
            (read.actions.len(), len),
            (read.observations.len(), len * width),
            (read.rewards.len(), len),
            (read.ends.len(), len),
            (read.head.len(), envs * width),
            (read.after_cuts.len(), read.cuts.len() * width),
            (
                priorities.len(),
                if self.priorities.is_some() { len } else { 0 },
            ),
        ];
        if let Some((found, expected)) = lengths.into_iter().find(|(a, b)| a != b) {
            let reason = format!("a field has {found} values, expected {expected}");
            return Err(ReplayBufferError::Foreign(reason));
        }
        if let Some(tree) = &mut read.priorities {
            tree.fill(&priorities);
        }
        *self = read;
        Ok(())
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ReplayBufferError> {
    let cut_off = || ReplayBufferError::Foreign("it is cut off".to_owned());
    let (length, after) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut_off())?;
    let (field, after) = after.split_at_checked(length).ok_or_else(cut_off)?;
    *rest = after;
    Ok(field)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], ReplayBufferError> {
    let wrong = |_| ReplayBufferError::Foreign("a field has the wrong length".to_owned());
    bytes.try_into().map_err(wrong)
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (values, _) = bytes.as_chunks();
    values.iter().map(|bytes| f32::from_le_bytes(*bytes))
}
