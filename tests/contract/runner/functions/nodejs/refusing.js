console.log('the import begins');
throw new Error('no such luck');
